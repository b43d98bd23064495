(** Lock graphs, and what a deadlock is.

    The data types are those of [lockdep/analyzer/src/graph.rs], without the evidence. The second half says what the
    graph is *about*: CPUs that hold lock instances and wait for others, domains that own them, and a relation
    [controls] between domains. Nothing is decided here; [Certificate.v] has the check and the theorem. *)

From Coq Require Import Arith List.
Import ListNotations.

(** * The graph *)

Inductive relation := Same | Up | Down | Other.
Inductive held_as := HeldExclusive | HeldShared.
Inductive wanted_as := WantExclusive | WantShared | WantSharedRecursive.
Inductive instances := SameOne | Any.

(** A class: [recursive] lets an exclusive holder in again, [ordered] instances nest by a key, [unowned] instances
    belong to no domain. *)
Record class := { recursive : bool; ordered : bool; unowned : bool }.

(** A nesting: [wanted] is acquired while [held] is held. Classes are numbers. *)
Record nesting := {
  held : nat; wanted : nat; between : relation;
  heldAs : held_as; wantedAs : wanted_as; which : instances }.

(** [tiers] is how many domains a chain of [controls] has at most, if that is bounded. *)
Record graph := { tiers : option nat; classes : list class; nestings : list nesting }.

Definition no_class := {| recursive := false; ordered := false; unowned := false |}.
Definition class_of (g : graph) (c : nat) := nth c (classes g) no_class.

Definition is_any (i : instances) := match i with Any => true | SameOne => false end.

(** The holder acquires the very instance that it holds. *)
Definition is_recursion (n : nesting) : bool := negb (is_any (which n)) && (held n =? wanted n).

(** The relation of a nesting's owners; what the classes say of ownership overrides what the nesting says. *)
Definition relation_of (g : graph) (n : nesting) : relation :=
  match unowned (class_of g (held n)), unowned (class_of g (wanted n)) with
  | true, true => Same
  | false, false => if is_recursion n then Same else between n
  | _, _ => Other
  end.

(** Two instances of an ordered class in one domain. *)
Definition is_keyed (g : graph) (n : nesting) : bool :=
  (held n =? wanted n) && is_any (which n) && ordered (class_of g (held n)).

(** * What it is about *)

(** Whether a holder makes a waiter wait. A recursive reader waits for a writer that holds. A fair reader may also
    wait behind a waiting writer, hence for the readers for which that one waits. *)
Definition blocks (h : held_as) (w : wanted_as) : Prop := h = HeldExclusive \/ w <> WantSharedRecursive.

Section World.

(** Any domains, any number of them, and any strict partial order. *)
Variable domain : Type.
Variable controls : domain -> domain -> Prop.

Definition strict_order :=
  (forall d, ~ controls d d) /\ (forall a b c, controls a b -> controls b c -> controls a c).

(** A lock instance. [name] tells apart what is alike otherwise. *)
Record lock := { kind : nat; owner : option domain; key : nat; name : nat }.

(** Whether two owners stand to each other as a relation says. [Other] is "anything else or unknown", so it says
    nothing; a lock of nobody is met by [Other], or by [Same] if neither has an owner. *)
Definition stands (r : relation) (below above : option domain) : Prop :=
  match r, below, above with
  | Same, _, _ => below = above
  | Up, Some d, Some e => controls e d
  | Down, Some d, Some e => controls d e
  | Other, _, _ => True
  | _, _, _ => False
  end.

(** Whether [n] describes the acquisition of [w] as [k] while [h] is held as [m]. *)
Record describes (g : graph) (n : nesting) (h : lock) (m : held_as) (w : lock) (k : wanted_as) : Prop := {
  d_listed : In n (nestings g);
  d_held : held n = kind h;
  d_wanted : wanted n = kind w;
  d_heldAs : heldAs n = m;
  d_wantedAs : wantedAs n = k;
  d_owners : stands (relation_of g n) (owner h) (owner w);
  d_one : is_recursion n = true -> h = w;
  (** The code establishes the declared order of instances. *)
  d_keyed : is_keyed g n = true -> relation_of g n = Same -> key h < key w }.

(** Any CPUs, any number of them. A state says what each holds, and what it has asked for and not yet got. *)
Variable cpu : Type.

Record state := {
  holds : cpu -> lock -> held_as -> Prop;
  wants : cpu -> lock -> wanted_as -> Prop }.

(** What every reachable state of a program satisfies if [g] is the program's lock graph. *)
Record state_of (g : graph) (s : state) : Prop := {
  (** Every acquisition under a held lock is in the graph. *)
  s_complete : forall c h m w k,
    holds s c h m -> wants s c w k -> exists n, describes g n h m w k;
  (** An exclusive holder is alone. *)
  s_exclusive : forall a b l m, holds s a l HeldExclusive -> holds s b l m -> a = b;
  (** A recursive lock lets its exclusive holder in, who therefore does not wait. *)
  s_reentry : forall c l k,
    recursive (class_of g (kind l)) = true -> holds s c l HeldExclusive -> ~ wants s c l k;
  (** In a bounded hierarchy every domain has a tier, and who controls another a higher one. *)
  s_tiers : forall k, tiers g = Some k -> exists tier : domain -> nat,
    (forall d, tier d < k) /\ (forall a b, controls a b -> tier b < tier a) }.

(** [a] waits for [b]; they may be one. *)
Definition waits_for (s : state) (a b : cpu) : Prop :=
  exists l k m, wants s a l k /\ holds s b l m /\ blocks m k.

(** A set of CPUs none of which can go on unless another of them does: the general form of a deadlock. *)
Definition deadlocked (s : state) (set : list cpu) : Prop :=
  set <> [] /\ forall a, In a set -> exists b, In b set /\ waits_for s a b.

(** A circular wait: each waits for the next, and the last for the first. *)
Fixpoint chain (s : state) (a : cpu) (rest : list cpu) (z : cpu) : Prop :=
  match rest with
  | [] => waits_for s a z
  | b :: rest => waits_for s a b /\ chain s b rest z
  end.

Definition circular_wait (s : state) (a : cpu) (rest : list cpu) : Prop := chain s a rest a.

Lemma chain_members : forall s rest a z set,
  chain s a rest z -> In z set -> (forall b, In b rest -> In b set) ->
  forall b, In b (a :: rest) -> exists c, In c set /\ waits_for s b c.
Proof.
  intros s rest; induction rest as [|x rest IH]; simpl; intros a z set way last inside b at_b.
  - destruct at_b as [<-|[]]. now exists z.
  - destruct way as [step way]. destruct at_b as [<-|at_b].
    + exists x. auto.
    + apply (IH x z set); auto.
Qed.

(** Every circular wait is a deadlocked set. *)
Lemma circular_wait_is_deadlocked : forall s a rest, circular_wait s a rest -> deadlocked s (a :: rest).
Proof.
  intros s a rest way. split; [discriminate|].
  apply (chain_members s rest a a (a :: rest) way); simpl; auto.
Qed.

End World.

Arguments kind {domain}.
Arguments owner {domain}.
Arguments key {domain}.
Arguments holds {domain cpu}.
Arguments wants {domain cpu}.
Arguments waits_for {domain cpu}.
Arguments deadlocked {domain cpu}.
Arguments circular_wait {domain cpu}.
