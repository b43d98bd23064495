(** From a closed walk of the split graph to a deadlock. *)

From Coq Require Import Arith Bool List Lia ZArith.
From LockOrder Require Import Model Certificate Walks.
Import ListNotations.

(** One CPU per step; CPU [i] holds a lock of its own and wants the next one's. Domains are (chain, height): in one
    chain the higher controls the lower. A step to a stranger starts another chain, [Down] goes one down, and [Up]
    goes up further than all [Down] steps of the walk together go down. *)

Definition domains := (nat * Z)%type.
Definition above (a b : domains) : Prop := fst a = fst b /\ (snd b < snd a)%Z.

Lemma above_order : strict_order domains above.
Proof.
  split; unfold above; [intros d [_ H]|intros a b c [E H] [E' H']; split; [congruence|]]; lia.
Qed.

(** Two different owners, neither of which controls the other. *)
Definition strangers (a b : option domains) : Prop :=
  a <> b /\ match a, b with Some a, Some b => ~ above a b /\ ~ above b a | _, _ => True end.

(** A deadlock in which every nesting means exactly what it says. *)
Definition has_deadlock (g : graph) : Prop :=
  exists (s : state domains nat) (set : list nat),
    state_of domains above nat g s /\ deadlocked s set /\
    (forall c h m w k, holds s c h m -> wants s c w k ->
     exists n, describes domains above g n h m w k /\ (relation_of g n = Other -> strangers (owner h) (owner w))).

Section World.

Variable g : graph.
Hypothesis unbounded : tiers g = None.
Variable up : Z.

Definition chains (w : list nesting) : nat :=
  fold_right (fun n c => match relation_of g n with Other => S c | _ => c end) 0 w.
Definition height (w : list nesting) : Z :=
  fold_right (fun n h => match relation_of g n with Up => h + up | Down => h - 1 | _ => h end)%Z 0%Z w.

Lemma chains_app : forall a b, chains (a ++ b) = chains a + chains b.
Proof. induction a as [|n a IH]; simpl; intros b; [reflexivity|]. rewrite IH. destruct (relation_of g n); lia. Qed.
Lemma height_app : forall a b, height (a ++ b) = (height a + height b)%Z.
Proof. induction a as [|n a IH]; simpl; intros b; [reflexivity|]. rewrite IH. destruct (relation_of g n); lia. Qed.

Definition owner_at (n : nesting) (c : nat) (h : Z) : option domains :=
  if unowned (class_of g (held n)) then None else Some (c, h).

Definition fits (n : nesting) (a b : option domains) : Prop :=
  stands domains above (relation_of g n) a b /\ (relation_of g n = Other -> strangers a b).

(** Where the next lock's owner has to be. *)
Definition leads (n : nesting) (c : nat) (h : Z) (c' : nat) (h' : Z) : Prop :=
  match relation_of g n with
  | Same => c = c' /\ h = h'
  | Up => c' = c /\ (h < h')%Z
  | Down => c = c' /\ (h' < h)%Z
  | Other => c <> c'
  end.

Lemma fits_next : forall n n' c h c' h', is_recursion n = false -> wanted n = held n' -> leads n c h c' h' ->
  fits n (owner_at n c h) (owner_at n' c' h').
Proof.
  intros n n' c h c' h' R E. unfold leads, fits, owner_at, relation_of. rewrite R, E. unfold strangers, above.
  destruct (unowned (class_of g (held n))), (unowned (class_of g (held n'))); simpl;
    try (split; [reflexivity || exact I|intros; discriminate || (split; [discriminate|exact I])]).
  destruct (between n); simpl; unfold above; simpl; intros L; split; try (intros; discriminate); auto.
  - destruct L as [-> ->]. reflexivity.
  - intros _. split; [congruence|split; intros [X _]; congruence].
Qed.

(** When the last step leads back to the first lock. *)
Definition closes (z : nesting) (before : list nesting) : Prop :=
  leads z (chains before) (height before) 0 0%Z /\ (relation_of g z = Same -> is_keyed g z = false).

Variables (ns pre : list nesting) (z : nesting) (b : nat).
Hypothesis listed : forall n, In n ns -> In n (nestings g) /\ is_recursion n = false.
Hypothesis closed : walk ns b (pre ++ [z]) b.
Hypothesis several : pre <> [].
Hypothesis upward : (0 < up)%Z.
Hypothesis closing : closes z pre.

Definition way := pre ++ [z].
Definition len := length way.
Definition at_ i := nth i way z.
Definition next i := if S i =? len then 0 else S i.
Definition lock_at i : lock domains :=
  {| kind := held (at_ i); key := i; name := i;
     owner := owner_at (at_ i) (chains (firstn i way)) (height (firstn i way)) |}.

Definition the_state : state domains nat :=
  {| holds := fun c l m => c < len /\ l = lock_at c /\ m = heldAs (at_ c);
     wants := fun c l k => c < len /\ l = lock_at (next c) /\ k = wantedAs (at_ c) |}.

Lemma at_least_two : 2 <= len.
Proof. unfold len, way. rewrite app_length. simpl. destruct pre; [now destruct several|simpl; lia]. Qed.

Lemma next_links : forall c, c < len ->
  next c < len /\ In (to_node (at_ c)) (from_nodes (at_ (next c))) /\
  In (at_ c) (nestings g) /\ is_recursion (at_ c) = false.
Proof.
  intros c L. pose proof at_least_two. unfold next.
  assert (In (at_ c) ns) as I by (eapply walk_in; [exact closed|now apply nth_In]).
  destruct (listed _ I). destruct (Nat.eqb_spec (S c) len) as [E|E]; repeat split; auto; try lia; unfold at_, way.
  - destruct (walk_nth ns z _ _ _ closed 0) as [J _]; [fold way len; lia|].
    rewrite (proj2 (walk_nth ns z _ _ _ closed c L) E). exact J.
  - destruct (walk_nth ns z _ _ _ closed (S c)) as [J _]; [fold way len; lia|]. simpl in J.
    now rewrite Nat.sub_0_r in J.
Qed.

Lemma firstn_next : forall c, S c < len -> firstn (S c) way = firstn c way ++ [at_ c].
Proof.
  unfold len, at_. generalize way. intros w. induction w as [|n w IH]; simpl; intros c L; [lia|].
  destruct c as [|c]; [reflexivity|]. simpl. rewrite <- IH by lia. reflexivity.
Qed.

Lemma the_nesting : forall c, c < len ->
  describes domains above g (at_ c) (lock_at c) (heldAs (at_ c)) (lock_at (next c)) (wantedAs (at_ c)) /\
  (relation_of g (at_ c) = Other -> strangers (owner (lock_at c)) (owner (lock_at (next c)))).
Proof.
  intros c L. destruct (next_links c L) as (_ & K & I & R). apply link in K as [K _].
  assert (fits (at_ c) (owner (lock_at c)) (owner (lock_at (next c))) /\
          (is_keyed g (at_ c) = true -> relation_of g (at_ c) = Same -> c < next c)) as [[F F'] O].
  { unfold next in *. destruct (Nat.eqb_spec (S c) len) as [E|E]; unfold lock_at; cbn [owner].
    - assert (c = length pre) as C by (unfold len, way in E; rewrite app_length in E; simpl in E; lia).
      assert (at_ c = z) as Z by (unfold at_, way; rewrite C, app_nth2, Nat.sub_diag by lia; reflexivity).
      assert (firstn c way = pre) as P
        by (unfold way; rewrite C, firstn_app, Nat.sub_diag, firstn_all, app_nil_r; reflexivity).
      rewrite P, Z in *. destruct closing as [Z0 N]. split; [now apply fits_next|]. intros Y S. now rewrite N in Y.
    - rewrite firstn_next by lia. split; [|lia]. apply fits_next; auto. unfold leads. rewrite chains_app, height_app.
      simpl. destruct (relation_of g (at_ c)); lia. }
  split; [|exact F']. split; simpl; auto. intros X. congruence.
Qed.

Lemma world : has_deadlock g.
Proof.
  pose proof at_least_two as T. exists the_state, (seq 0 len). split; [split|split; [split|]].
  - intros c h m w k (L & -> & ->) (_ & -> & ->). exists (at_ c). now apply the_nesting.
  - intros c d l m (_ & -> & _) (_ & E & _). now injection E.
  - intros c l k _ (L & -> & _) (_ & E & _). injection E as _ _ E _. unfold next in E.
    destruct (Nat.eqb_spec (S c) len); lia.
  - congruence.
  - intros E. apply (f_equal (@length nat)) in E. rewrite seq_length in E. simpl in E. lia.
  - intros c C. apply in_seq in C. destruct (next_links c ltac:(lia)) as (L & K & _). apply link in K as [_ K].
    exists (next c). split; [apply in_seq; lia|].
    exists (lock_at (next c)), (wantedAs (at_ c)), (heldAs (at_ (next c))). simpl. repeat split; auto; lia.
  - intros c h m w k (L & -> & ->) (_ & -> & ->). exists (at_ c). now apply the_nesting.
Qed.

End World.
