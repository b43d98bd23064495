(** The converse: a graph for which no certificate exists has a deadlock.

    [decide_or_deadlock] builds, for every lock graph without a bound, either a certificate that the check accepts, or
    domains, a strict order and a state of CPUs, all premises of [Model.v] met, that is deadlocked; and there [Other]
    means strangers, nothing weaker. So the criterion is exact ([certificate_iff_no_deadlock]). *)

From Coq Require Import Arith Bool List Lia ZArith.
From LockOrder Require Import Model Certificate Walks Deadlock.
Import ListNotations.

Section Decide.

Variable g : graph.
Hypothesis unbounded : tiers g = None.
Hypothesis in_bounds : forall n, In n (nestings g) -> held n < length (classes g) /\ wanted n < length (classes g).

Definition edges := filter (fun n => negb (is_recursion n)) (nestings g).
Definition is_same n := match relation_of g n with Same => true | _ => false end.
Definition is_up n := match relation_of g n with Up => true | _ => false end.
Definition is_other n := match relation_of g n with Other => true | _ => false end.
Definition nodes := seq 0 (2 * length (classes g)).
Definition layer_of v := ancestry (arcs_of edges) nodes v.
Definition rank_of v := ancestry (arcs_of (filter is_same edges)) nodes v.
Definition place_of v := {| layer := layer_of v; rank := rank_of v |}.

(** An [Up] nesting stays in this layer. *)
Definition rises i n := is_up n && (layer_of (to_node n) =? i) && existsb (fun a => layer_of a =? i) (from_nodes n).
Definition way_of i := if existsb (rises i) edges then Upwards else Downwards.

Definition certified : certificate :=
  let all := seq 0 (length (classes g)) in
  {| bound := None; directions := map way_of (seq 0 (S (list_max (map layer_of nodes))));
     non_recursive := map (fun c => place_of (2 * c)) all;
     recursive_reads := map (fun c => place_of (2 * c + 1)) all |}.

Lemma nth_seq : forall (A : Type) (f : nat -> A) m i d, i < m -> nth i (map f (seq 0 m)) d = f i.
Proof.
  intros A f m i d L. rewrite (nth_indep _ d (f 0)) by now rewrite map_length, seq_length.
  rewrite map_nth, seq_nth by exact L. reflexivity.
Qed.

Lemma arrives : forall n, In n (nestings g) -> node certified (wanted n) 0 (wantedAs n) = place_of (to_node n).
Proof.
  intros n H. destruct (in_bounds n H) as [_ B]. unfold node, at_n, at_r, to_node, certified. simpl.
  rewrite Nat.mul_1_r, Nat.add_0_r. destruct (wantedAs n); rewrite nth_seq by exact B; f_equal; lia.
Qed.

Lemma leaves : forall n p, In n (nestings g) -> In p (blocked certified (held n) 0 (heldAs n)) ->
  exists a, In a (from_nodes n) /\ p = place_of a.
Proof.
  intros n p H K. destruct (in_bounds n H) as [B _]. unfold blocked, from_nodes, at_n, at_r, certified in *.
  simpl in *. rewrite Nat.mul_1_r, Nat.add_0_r in K.
  destruct (heldAs n); simpl in *; rewrite !nth_seq in K by exact B; intuition (subst; eauto).
Qed.

Lemma inside : forall n a, In n (nestings g) -> In a (to_node n :: from_nodes n) -> In a nodes.
Proof.
  intros n a H K. destruct (in_bounds n H). apply in_seq. unfold to_node, from_nodes in K.
  destruct (heldAs n), (wantedAs n); simpl in K; lia.
Qed.

Lemma direction_inside : forall a, In a nodes -> direction_of certified (layer_of a) = way_of (layer_of a).
Proof.
  intros a H. unfold direction_of, certified. cbn [directions]. apply nth_seq. apply Nat.lt_succ_r.
  pose proof (proj1 (list_max_le (map layer_of nodes) _) (Nat.le_refl _)) as F. rewrite Forall_forall in F.
  apply F. now apply in_map.
Qed.

Lemma edges_listed : forall n, In n edges -> In n (nestings g) /\ is_recursion n = false.
Proof. intros n H. apply filter_In in H as [H R]. now destruct (is_recursion n). Qed.

(** A closed walk, walked twice, is a deadlock if its last step closes it. *)
Lemma twice : forall up w z b, (0 < up)%Z -> walk edges b (w ++ [z]) b -> closes g up z (w ++ z :: w) ->
  has_deadlock g.
Proof.
  intros up w z b U W C. apply (world g unbounded up edges (w ++ z :: w) z b); auto using edges_listed.
  - replace ((w ++ z :: w) ++ [z]) with ((w ++ [z]) ++ w ++ [z]) by now rewrite <- !app_assoc.
    apply walk_app. eauto.
  - now destruct w.
Qed.

Lemma through_stranger : forall w b, walk edges b w b -> existsb is_other w = true -> has_deadlock g.
Proof.
  intros w b W E. apply existsb_exists in E as (o & I & R). unfold is_other in R.
  apply in_split in I as (w1 & w2 & ->). apply walk_app in W as (x & W1 & at_o & at_x & W2).
  apply (twice 1 (w2 ++ w1) o (to_node o)); [lia| |].
  - rewrite <- app_assoc. apply walk_app. exists b. split; [exact W2|]. apply walk_app. simpl. eauto.
  - unfold closes, leads. destruct (relation_of g o) eqn:O; try discriminate. rewrite chains_app. simpl. rewrite O.
    split; [lia|discriminate].
Qed.

Lemma no_stranger : forall w, existsb is_other w = false -> chains g w = 0.
Proof.
  unfold is_other. induction w as [|n w IH]; simpl; intros E; [reflexivity|].
  apply orb_false_elim in E as [E E']. rewrite (IH E'). now destruct (relation_of g n).
Qed.

(** Steps down go one down each, and one step up goes higher than all that. *)
Lemma height_least : forall up w, (0 < up)%Z ->
  ((if existsb is_up w then up else 0) - Z.of_nat (length w) <= height g up w)%Z.
Proof.
  intros up w U. induction w as [|n w IH]; cbn [length height fold_right existsb]; [lia|]. fold (height g up w).
  unfold is_up at 1. destruct (relation_of g n), (existsb is_up w); cbn [orb] in *; lia.
Qed.

Lemma same_totals : forall up w, (forall n, In n w -> relation_of g n = Same) ->
  chains g w = 0 /\ height g up w = 0%Z.
Proof.
  intros up w S. induction w as [|n w IH]; simpl; [auto|]. rewrite (S n (or_introl eq_refl)). apply IH. intros.
    apply S. now right.
Qed.

Lemma alone : forall n, In n (nestings g) -> is_recursion n = true -> waits_for_itself g n = true -> has_deadlock g.
Proof.
  intros n I R W. pose proof R as R0. apply andb_prop in R as [A E]. apply Nat.eqb_eq in E.
  assert (relation_of g n = Same) as S.
  { unfold relation_of. rewrite <- E, R0. now destruct (unowned (class_of g (held n))). }
  set (l := {| kind := held n; owner := None; key := 0; name := 0 |} : lock domains).
  assert (D : describes domains above g n l (heldAs n) l (wantedAs n)).
  { split; simpl; auto; [now rewrite S|]. unfold is_keyed. destruct (is_any (which n)); [discriminate|].
    now rewrite andb_false_r. }
  exists {| holds := fun c x m => c = 0 /\ x = l /\ m = heldAs n;
            wants := fun c x k => c = 0 /\ x = l /\ k = wantedAs n |}, [0].
  split; [split|split; [split|]].
  - intros c h m w k (-> & -> & ->) (_ & -> & ->). exists n. exact D.
  - intros a b x m (-> & _) (-> & _). reflexivity.
  - intros c x k Q (_ & _ & M) (_ & -> & _). unfold waits_for_itself in W. rewrite <- M in W. cbn in Q.
    now rewrite Q in W.
  - congruence.
  - discriminate.
  - intros a [<-|[]]. exists 0. split; [now left|]. exists l, (wantedAs n), (heldAs n). repeat split.
    unfold blocks. unfold waits_for_itself in W. destruct (heldAs n), (wantedAs n); auto; right; discriminate.
  - intros c h m w k (-> & -> & ->) (_ & -> & ->). exists n. split; [exact D|congruence].
Qed.

Theorem decide_or_deadlock : check g certified = true \/ has_deadlock g.
Proof.
  destruct (check g certified) eqn:C; [now left|right]. unfold check, bound_holds in C.
  cbn [bound non_recursive recursive_reads certified nr_tiers] in C.
  rewrite !map_length, !seq_length, Nat.mul_1_r, Nat.eqb_refl in C. cbn [andb] in C.
  assert (F : forall (A : Type) (f : A -> bool) l, forallb f l = false -> exists x, In x l /\ f x = false).
  { intros A f l. induction l as [|x l IH]; simpl; [discriminate|]. destruct (f x) eqn:E; [|eauto].
    intros H. destruct (IH H) as (y & ? & ?). eauto. }
  apply F in C as (n & I & C). destruct (in_bounds n I) as [B B'].
  apply Nat.ltb_lt in B, B'. rewrite B, B' in C. cbn [andb] in C. unfold covers in C.
  destruct (is_recursion n) eqn:R.
  { apply (alone n I R). now destruct (waits_for_itself g n). }
  cbn in C. rewrite andb_true_r in C.
  apply F in C as (p & P & C). apply (leaves n p I) in P as (a & A & ->). rewrite arrives in C by exact I.
  assert (E : In n edges) by (apply filter_In; now rewrite R).
  assert (AB : In (a, to_node n) (arcs_of edges)) by (apply arcs_of_in; eauto).
  pose proof (inside n a I (or_intror A)) as NA. pose proof (inside n _ I (or_introl eq_refl)) as NB.
  unfold climbs in C. cbn [place_of layer rank] in C.
  pose proof (ancestry_mono _ nodes _ _ (reach_arc _ _ _ AB)) as LE. fold (layer_of a) (layer_of (to_node n)) in LE.
  destruct (Nat.eqb_spec (layer_of a) (layer_of (to_node n))) as [EQ|NE]; cbn [negb] in C;
    [|apply Nat.ltb_nlt in C; lia].
  rewrite (direction_inside a NA) in C.
  destruct (reach_walk edges _ _ _ (fun _ _ H => H) (ancestry_same _ nodes _ _ NB (eq_sym EQ))) as (w & W).
  assert (LOOP : walk edges (to_node n) (w ++ [n]) (to_node n)) by (apply walk_app; simpl; eauto).
  destruct (relation_of g n) eqn:S.
  - (* Same: the way back along [Same] nestings. *)
    assert (AS : In (a, to_node n) (arcs_of (filter is_same edges))).
    { apply arcs_of_in. exists n. repeat split; auto. apply filter_In. split; auto. unfold is_same. now rewrite S. }
    apply orb_false_elim in C as [C K]. apply Nat.ltb_nlt in C.
    pose proof (ancestry_mono _ nodes _ _ (reach_arc _ _ _ AS)) as LE'.
    assert (rank_of (to_node n) = rank_of a) as RQ by (unfold rank_of in *; lia).
    rewrite RQ, Nat.eqb_refl in K. cbn in K.
    destruct (reach_walk _ _ _ _ (fun _ _ H => H) (ancestry_same _ nodes _ _ NB RQ)) as (v & V).
    assert (SAME : forall m, In m v -> relation_of g m = Same).
    { intros m M. apply (walk_in _ _ _ _ _ V), filter_In in M as [_ M]. unfold is_same in M.
      now destruct (relation_of g m). }
    apply (twice 1 v n (to_node n)); [lia| |].
    + apply walk_app. exists a. simpl. repeat split; auto. apply (walk_mono (filter is_same edges)); [|exact V].
      intros m M. now apply filter_In in M.
    + unfold closes, leads. rewrite S. destruct (same_totals 1 (v ++ n :: v)) as [-> ->]; [|auto].
      intros m M. apply in_app_or in M as [M|[<-|M]]; auto.
  - (* Up: the layer goes up. *)
    assert (existsb (rises (layer_of a)) edges = true) as X.
    { apply existsb_exists. exists n. split; [exact E|]. unfold rises, is_up. rewrite S, <- EQ, Nat.eqb_refl.
      apply existsb_exists. exists a. split; [exact A|apply Nat.eqb_refl]. }
    unfold way_of in C. rewrite X in C. discriminate.
  - (* Down: the layer goes up by some other nesting. *)
    unfold way_of in C. destruct (existsb (rises (layer_of a)) edges) eqn:X; [|discriminate].
    apply existsb_exists in X as (n' & E' & X). apply andb_prop in X as [X X']. apply andb_prop in X as [S' X].
    apply existsb_exists in X' as (a' & A' & X'). apply Nat.eqb_eq in X, X'.
    destruct (edges_listed n' E') as [I' _].
    pose proof (inside n' _ I' (or_introl eq_refl)) as NB'.
    pose proof (ancestry_same (arcs_of edges) nodes _ _ NB (eq_trans (eq_sym EQ) (eq_sym X'))) as TO.
    pose proof (ancestry_same (arcs_of edges) nodes _ _ NB' X) as FROM.
    destruct (reach_walk edges _ _ _ (fun _ _ H => H) TO) as (v & V).
    destruct (reach_walk edges _ _ _ (fun _ _ H => H) FROM) as (v' & V').
    assert (ROUND : walk edges (to_node n) ((v ++ n' :: v') ++ [n]) (to_node n)).
    { apply walk_app. exists a. simpl. repeat split; auto. apply walk_app. exists a'. simpl. auto. }
    destruct (existsb is_other ((v ++ n' :: v') ++ [n])) eqn:O; [eapply through_stranger; eassumption|].
    set (u := v ++ n' :: v') in *. rewrite existsb_app in O. apply orb_false_elim in O as [O _].
    pose (up := (2 * Z.of_nat (length u) + 2)%Z). assert (U : (0 < up)%Z) by (unfold up; lia).
    apply (twice up u n (to_node n) U ROUND). unfold closes, leads. rewrite S.
    split; [|discriminate]. change (n :: u) with ([n] ++ u).
    assert (chains g [n] = 0) as N by (simpl; now rewrite S).
    assert (height g up [n] = -1)%Z as H by (simpl; now rewrite S).
    rewrite !chains_app, !height_app, N, H, (no_stranger u O). split; [reflexivity|].
    assert (existsb is_up u = true) as M by (unfold u; rewrite existsb_app; simpl; now rewrite S', orb_true_r).
    pose proof (height_least up u U) as H'. rewrite M in H'. unfold up in *. lia.
  - (* Other *)
    eapply through_stranger; [exact LOOP|]. rewrite existsb_app. simpl. unfold is_other at 2. rewrite S.
    apply orb_true_r.
Qed.

End Decide.

(** A certificate exists exactly if there is no deadlock, in any number of domains and CPUs. *)
Theorem certificate_iff_no_deadlock : forall g, tiers g = None ->
  (forall n, In n (nestings g) -> held n < length (classes g) /\ wanted n < length (classes g)) ->
  (exists t, check g t = true) <-> ~ has_deadlock g.
Proof.
  intros g unbounded in_bounds. split.
  - intros (t & ok) (s & set & reachable & stuck & _).
    exact (proj1 (certificate_excludes_deadlock g t ok _ _ above_order _ s reachable) set stuck).
  - intros none. destruct (decide_or_deadlock g unbounded in_bounds); [eauto|contradiction].
Qed.
