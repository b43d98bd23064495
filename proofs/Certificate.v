(** The check of a certificate, and why an accepted one excludes every deadlock.

    [check] follows [lockdep/analyzer/src/certificate.rs] line by line. [certificate_excludes_deadlock] holds for any
    domains, any CPUs and any strict partial order [controls]: none of them occurs in the check. *)

From Coq Require Import Arith Bool List Lia.
From LockOrder Require Import Model.
Import ListNotations.

(** * Certificates and their check *)

Inductive direction := Nowhere | Upwards | Downwards.
Record position := { layer : nat; rank : nat }.
Record certificate := {
  bound : option nat; directions : list direction;
  non_recursive : list position; recursive_reads : list position }.

Definition origin := {| layer := 0; rank := 0 |}.
Definition direction_of (t : certificate) (i : nat) := nth i (directions t) Nowhere.

(** How many tiers are told apart. *)
Definition nr_tiers (t : certificate) := match bound t with Some k => k | None => 1 end.

(** Where the nodes of a class stand, for a tier of the owner. *)
Definition at_n (t : certificate) (c i : nat) := nth (c * nr_tiers t + i) (non_recursive t) origin.
Definition at_r (t : certificate) (c i : nat) := nth (c * nr_tiers t + i) (recursive_reads t) origin.

(** The node of the split graph at which an acquisition arrives. *)
Definition node (t : certificate) (c i : nat) (k : wanted_as) : position :=
  match k with WantSharedRecursive => at_r t c i | _ => at_n t c i end.

(** The nodes that a holder blocks: a reader blocks those who want N only. *)
Definition blocked (t : certificate) (c i : nat) (m : held_as) : list position :=
  match m with HeldShared => [at_n t c i] | HeldExclusive => [at_n t c i; at_r t c i] end.

(** Whether owners in two tiers can stand to each other as a relation says. *)
Definition meet (t : certificate) (r : relation) (i j : nat) : bool :=
  match bound t, r with
  | None, _ | _, Other => true
  | _, Same => i =? j
  | _, Up => i <? j
  | _, Down => j <? i
  end.

Definition climbs (g : graph) (t : certificate) (n : nesting) (from to : position) : bool :=
  if negb (layer from =? layer to) then layer from <? layer to
  else match relation_of g n, direction_of t (layer from) with
       | Same, _ => (rank from <? rank to) || ((rank from =? rank to) && is_keyed g n)
       | Up, Upwards => true
       | Down, Downwards => true
       | _, _ => false
       end.

(** Whether acquiring again what is held blocks. *)
Definition waits_for_itself (g : graph) (n : nesting) : bool :=
  match heldAs n, wantedAs n with
  | HeldShared, WantSharedRecursive => false
  | HeldShared, _ => true
  | HeldExclusive, _ => negb (recursive (class_of g (held n)))
  end.

Definition covers (g : graph) (t : certificate) (n : nesting) : bool :=
  if is_recursion n then negb (waits_for_itself g n)
  else forallb (fun '(i, j) => negb (meet t (relation_of g n) i j) ||
         forallb (fun from => climbs g t n from (node t (wanted n) j (wantedAs n))) (blocked t (held n) i (heldAs n)))
       (list_prod (seq 0 (nr_tiers t)) (seq 0 (nr_tiers t))).

(** A certificate for so many tiers is none where there may be more. *)
Definition bound_holds (g : graph) (t : certificate) : bool :=
  match bound t, tiers g with
  | None, _ => true
  | Some k, Some most => (0 <? k) && (most <=? k)
  | Some _, None => false
  end.

Definition check (g : graph) (t : certificate) : bool :=
  bound_holds g t &&
  (length (non_recursive t) =? length (classes g) * nr_tiers t) &&
  (length (recursive_reads t) =? length (classes g) * nr_tiers t) &&
  forallb (fun n => (held n <? length (classes g)) && (wanted n <? length (classes g)) && covers g t n) (nestings g).

(** * A strict order has no finite set in which every element has a greater one *)

Lemma nothing_greater_for_all : forall (A : Type) (lt : A -> A -> Prop),
  (forall a, ~ lt a a) -> (forall a b c, lt a b -> lt b c -> lt a c) ->
  forall set, (forall a, In a set -> exists b, In b set /\ lt a b) -> set = [].
Proof.
  intros A lt irreflexive transitive set. induction set as [|x set IH]; intros greater; [reflexivity|].
  assert (set = []) as ->.
  { apply IH. intros a at_a. destruct (greater a (or_intror at_a)) as (b & [<-|at_b] & ab); [|eauto].
    destruct (greater x (or_introl eq_refl)) as (c & [<-|at_c] & xc); [now apply irreflexive in xc|eauto]. }
  destruct (greater x (or_introl eq_refl)) as (b & [<-|[]] & xx). now apply irreflexive in xx.
Qed.

(** * Soundness *)

Section Soundness.

Variable domain : Type.
Variable controls : domain -> domain -> Prop.
Hypothesis order : strict_order domain controls.
Variable cpu : Type.
Variables (g : graph) (t : certificate).
Hypothesis accepted : check g t = true.

(** The tier of an owner; of nobody, any. *)
Variable tier : option domain -> nat.
Hypothesis tier_known : forall o, tier o < nr_tiers t.
Hypothesis tiers_meet : forall r a b, stands domain controls r a b -> meet t r (tier a) (tier b) = true.

Notation lock := (lock domain).

(** Somebody waits for a lock in a certain way. *)
Definition waiter := (lock * wanted_as)%type.
Definition place (w : waiter) : position := node t (kind (fst w)) (tier (owner (fst w))) (snd w).

(** One domain above another in the direction of a layer. *)
Definition further (d : direction) (a b : option domain) : Prop :=
  match d, a, b with
  | Upwards, Some a, Some b => controls b a
  | Downwards, Some a, Some b => controls a b
  | _, _, _ => False
  end.

(** The order of waiters: by layer, then by the height of the owner in the direction of the layer, then by rank,
    then by instance key. *)
Definition before (a b : waiter) : Prop :=
  layer (place a) < layer (place b) \/
  layer (place a) = layer (place b) /\
  (further (direction_of t (layer (place a))) (owner (fst a)) (owner (fst b)) \/
   owner (fst a) = owner (fst b) /\
   (rank (place a) < rank (place b) \/
    rank (place a) = rank (place b) /\ key (fst a) < key (fst b))).

Lemma further_irreflexive : forall d a, ~ further d a a.
Proof. destruct order as [irreflexive _]. intros [] [a|]; simpl; auto; apply irreflexive. Qed.

Lemma further_transitive : forall d a b c, further d a b -> further d b c -> further d a c.
Proof. destruct order as [_ transitive]. intros [] [a|] [b|] [c|]; simpl; try tauto; eauto. Qed.

Lemma before_irreflexive : forall a, ~ before a a.
Proof.
  intros a [L|[_ [F|[_ [R|[_ K]]]]]]; try lia. now apply further_irreflexive in F.
Qed.

Lemma before_transitive : forall a b c, before a b -> before b c -> before a c.
Proof.
  unfold before. intros a b c [L|[E H]] [L'|[E' H']]; try (left; lia).
  right. split; [lia|]. rewrite <- E in H'.
  destruct H as [F|[O H]], H' as [F'|[O' H']].
  - left. eapply further_transitive; eassumption.
  - left. now rewrite <- O'.
  - left. now rewrite O.
  - right. split; [congruence|]. destruct H as [R|[R K]], H' as [R'|[R' K']]; try (left; lia). right. lia.
Qed.

(** A holder that blocks a waiter blocks the waiter's node. *)
Lemma blocked_node : forall c i m k, blocks m k -> In (node t c i k) (blocked t c i m).
Proof. intros c i [] [] [H|H]; simpl; auto; discriminate || now destruct H. Qed.

Lemma covered : forall n, In n (nestings g) -> covers g t n = true.
Proof.
  intros n listed. unfold check in accepted. apply andb_prop in accepted as [_ all].
  rewrite forallb_forall in all. apply all in listed. now apply andb_prop in listed as [_ ?].
Qed.

(** The heart: who waits for a lock comes before what its holder waits for, recursions aside. *)
Lemma climbing : forall n h m w k k',
  describes domain controls g n h m w k -> is_recursion n = false -> blocks m k' -> before (h, k') (w, k).
Proof.
  intros n h m w k k' D not_recursion B. destruct D as [listed Eh Ew <- <- owners _ keyed].
  apply covered in listed. unfold covers in listed. rewrite not_recursion, forallb_forall in listed.
  specialize (listed (tier (owner h), tier (owner w))). cbn beta iota in listed.
  rewrite (tiers_meet _ _ _ owners) in listed. cbn [negb orb] in listed. rewrite forallb_forall in listed.
  apply (blocked_node (held n) (tier (owner h))) in B.
  apply listed in B; [|apply in_prod; apply in_seq; split; auto using Nat.le_0_l]. rewrite Eh, Ew in B.
  unfold before, place, climbs in *. simpl.
  set (from := node t (kind h) _ k') in *. set (to := node t (kind w) _ (wantedAs n)) in *.
  destruct (Nat.eqb_spec (layer from) (layer to)) as [E|E]; simpl in B; [|apply Nat.ltb_lt in B; now left].
  right. split; [exact E|].
  destruct (relation_of g n) eqn:R; simpl in owners.
  - right. split; [exact owners|]. apply orb_prop in B as [B|B].
    + left. now apply Nat.ltb_lt.
    + apply andb_prop in B as [B K]. right. split; [now apply Nat.eqb_eq|auto].
  - left. destruct (direction_of t (layer from)); try discriminate. now destruct (owner h), (owner w).
  - left. destruct (direction_of t (layer from)); try discriminate. now destruct (owner h), (owner w).
  - discriminate.
Qed.

Variable s : state domain cpu.
Hypothesis reachable : state_of domain controls cpu g s.

(** A CPU that a deadlock holds up never waits for a lock that it holds itself. *)
Lemma no_self_wait : forall b l m k, holds s b l m -> wants s b l k ->
  (exists c m', holds s c l m' /\ blocks m' k) -> False.
Proof.
  destruct reachable as [complete exclusive reentry _]. intros b l m k H W (c & m' & H' & B).
  (* Some mode in which [b] itself holds the lock blocks what it wants. *)
  assert (exists own, holds s b l own /\ blocks own k) as (own & O & BO).
  { destruct m' eqn:M; [exists HeldExclusive; split; [|now left]; now rewrite (exclusive c b l m H' H) in H'|].
    exists m. split; [exact H|]. destruct B as [B|B]; [discriminate|now right]. }
  clear H H' B c m m'. destruct (complete b l own l k O W) as (n & D).
  destruct (is_recursion n) eqn:R.
  - pose proof (covered n (d_listed _ _ _ _ _ _ _ _ D)) as C. unfold covers in C. rewrite R in C.
    unfold waits_for_itself in C. destruct D as [_ Eh _ Em Ek _ _ _]. rewrite Em, Ek, Eh in C.
    destruct own.
    + rewrite negb_involutive in C. exact (reentry b l k C O W).
    + destruct BO as [BO|BO]; [discriminate|]. destruct k; try discriminate. now apply BO.
  - apply (before_irreflexive (l, k)). eapply climbing; eassumption.
Qed.

(** What the holder of a lock waits for comes after every waiter for that lock. *)
Lemma holder_is_after : forall b l m k w k', holds s b l m -> blocks m k -> wants s b w k' ->
  (exists c m', holds s c w m' /\ blocks m' k') -> before (l, k) (w, k').
Proof.
  intros b l m k w k' H B W blocker. destruct reachable as [complete _ _ _].
  destruct (complete b l m w k' H W) as (n & D). destruct (is_recursion n) eqn:R.
  - exfalso. pose proof (d_one _ _ _ _ _ _ _ _ D R) as <-. eapply no_self_wait; eassumption.
  - eapply climbing; eassumption.
Qed.

(** A CPU of the deadlock with what it waits for: some pair (CPU, waiter) with a blocker in the set. *)
Definition stuck (set : list cpu) (a : cpu) (w : waiter) : Prop :=
  In a set /\ wants s a (fst w) (snd w) /\
  exists b m, In b set /\ holds s b (fst w) m /\ blocks m (snd w).

Lemma collect : forall set rest : list cpu,
  (forall a, In a rest -> exists w, stuck set a w) ->
  exists ws : list (cpu * waiter),
    (forall a, In a rest -> exists w, In (a, w) ws) /\ (forall a w, In (a, w) ws -> stuck set a w).
Proof.
  intros set rest. induction rest as [|a rest IH]; intros all.
  - exists []. split; [intros ? []|intros ? ? []].
  - destruct IH as (ws & every & sound); [intros; apply all; now right|].
    destruct (all a (or_introl eq_refl)) as (w & st). exists ((a, w) :: ws). split.
    + intros b [<-|at_b]; [exists w; now left|]. destruct (every b at_b) as (v & ?). exists v. now right.
    + intros b v [E|at_b]; [injection E as <- <-; exact st|auto].
Qed.

Theorem no_deadlock : forall set, ~ deadlocked s set.
Proof.
  intros set [nonempty each].
  destruct (collect set set) as (ws & every & sound).
  { intros a at_a. destruct (each a at_a) as (b & at_b & l & k & m & W & H & B).
    exists (l, k). repeat split; simpl; eauto. }
  assert (ws = []) as ->.
  { apply (nothing_greater_for_all _ (fun a b => before (snd a) (snd b))).
    - intros a. apply before_irreflexive.
    - intros a b c. apply before_transitive.
    - intros [a [l k]] at_a. destruct (sound a (l, k) at_a) as (_ & _ & b & m & at_b & H & B).
      destruct (every b at_b) as ([l' k'] & at_w). exists (b, (l', k')). split; [exact at_w|]. simpl in *.
      destruct (sound b (l', k') at_w) as (_ & W & c & m' & _ & H' & B'). simpl in *.
      eapply holder_is_after; eauto. }
  destruct set as [|a set]; [now apply nonempty|]. destruct (every a (or_introl eq_refl)) as (w & []).
Qed.

Corollary no_circular_wait : forall a rest, ~ circular_wait s a rest.
Proof. intros a rest C. eapply no_deadlock, circular_wait_is_deadlocked, C. Qed.

End Soundness.

(** Where the check accepts a bound, the graph is about a hierarchy that has such tiers. *)
Lemma tiers_exist : forall domain (controls : domain -> domain -> Prop) cpu g t (s : state domain cpu),
  check g t = true -> state_of domain controls cpu g s -> exists tier : option domain -> nat,
    (forall o, tier o < nr_tiers t) /\
    (forall r a b, stands domain controls r a b -> meet t r (tier a) (tier b) = true).
Proof.
  intros domain controls cpu g t s ok [_ _ _ bounded]. unfold check in ok. apply andb_prop in ok as [ok _].
  apply andb_prop in ok as [ok _]. apply andb_prop in ok as [ok _]. unfold bound_holds, nr_tiers, meet in *.
  destruct (bound t) as [k|]; [|exists (fun _ => 0); auto].
  destruct (tiers g) as [most|]; [|discriminate]. apply andb_prop in ok as [some enough].
  apply Nat.ltb_lt in some. apply Nat.leb_le in enough. destruct (bounded most eq_refl) as (f & low & up).
  exists (fun o => match o with Some d => f d | None => 0 end). split.
  - intros [d|]; [specialize (low d); lia|exact some].
  - intros [] [a|] [b|] S; simpl in S; try contradiction; try discriminate; auto.
    + injection S as ->. apply Nat.eqb_refl.
    + now apply Nat.ltb_lt, up.
    + now apply Nat.ltb_lt, up.
Qed.

(** The theorem with everything that it depends on in view. *)
Theorem certificate_excludes_deadlock :
  forall (g : graph) (t : certificate), check g t = true ->
  forall (domain : Type) (controls : domain -> domain -> Prop), strict_order domain controls ->
  forall (cpu : Type) (s : state domain cpu), state_of domain controls cpu g s ->
  (forall set, ~ deadlocked s set) /\ (forall a rest, ~ circular_wait s a rest).
Proof.
  intros g t ok domain controls order cpu s reachable.
  destruct (tiers_exist domain controls cpu g t s ok reachable) as (tier & known & meets). split.
  - now apply (no_deadlock domain controls order cpu g t ok tier known meets).
  - now apply (no_circular_wait domain controls order cpu g t ok tier known meets).
Qed.
