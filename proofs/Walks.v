(** The split graph as a list of arcs: reachability, the sets of nodes that lead to a node, and walks.

    [ancestry] makes a number of the set of nodes that lead to a node. It rises along every arc, and two nodes share
    it only if each leads to the other: what a topological order of components does for [proof.rs], without one. *)

From Coq Require Import Arith Bool List Lia.
From LockOrder Require Import Model.
Import ListNotations.

(** * Reachability over a list of arcs, as a program

    By induction on the arcs: a way over [a -> b] and the others uses the arc once at most, or not at all. *)

Definition arc := (nat * nat)%type.

Fixpoint reach (arcs : list arc) (u v : nat) : bool :=
  match arcs with
  | [] => u =? v
  | (a, b) :: rest => reach rest u v || (reach rest u a && reach rest b v)
  end.

Lemma reach_refl : forall arcs u, reach arcs u u = true.
Proof. induction arcs as [|[a b] arcs IH]; intros u; simpl; [apply Nat.eqb_refl|now rewrite IH]. Qed.

Lemma reach_arc : forall arcs a b, In (a, b) arcs -> reach arcs a b = true.
Proof.
  induction arcs as [|[x y] arcs IH]; simpl; intros a b H; [destruct H|destruct H as [E|H]].
  - injection E as <- <-. rewrite !reach_refl. apply orb_true_r.
  - now rewrite (IH a b H).
Qed.

Lemma reach_trans : forall arcs u v w, reach arcs u v = true -> reach arcs v w = true -> reach arcs u w = true.
Proof.
  induction arcs as [|[a b] arcs IH]; simpl; intros u v w H K.
  - apply Nat.eqb_eq in H as ->. exact K.
  - apply orb_prop in H as [H|H]; apply orb_prop in K as [K|K]; apply orb_true_iff.
    + left. eauto.
    + right. apply andb_prop in K as [K K']. apply andb_true_iff. eauto.
    + right. apply andb_prop in H as [H H']. apply andb_true_iff. eauto.
    + right. apply andb_prop in H as [H H']. apply andb_prop in K as [K K']. apply andb_true_iff. eauto.
Qed.

(** * A set of numbers as a number, so that sets can be compared *)

Fixpoint code (f : nat -> bool) (nodes : list nat) : nat :=
  match nodes with [] => 0 | v :: rest => 2 * code f rest + (if f v then 1 else 0) end.

Lemma code_mono : forall f g nodes,
  (forall v, In v nodes -> f v = true -> g v = true) -> code f nodes <= code g nodes.
Proof.
  intros f g nodes. induction nodes as [|v nodes IH]; simpl; intros sub; [lia|].
  assert (code f nodes <= code g nodes) by (apply IH; auto).
  specialize (sub v (or_introl eq_refl)). destruct (f v); [rewrite sub by reflexivity|destruct (g v)]; lia.
Qed.

Lemma code_inj : forall f g nodes, code f nodes = code g nodes -> forall v, In v nodes -> f v = g v.
Proof.
  intros f g nodes. induction nodes as [|x nodes IH]; simpl; intros E v; [tauto|].
  intros [<-|H].
  - destruct (f x), (g x); reflexivity || (exfalso; lia).
  - apply IH; [|exact H]. destruct (f x), (g x); lia.
Qed.

(** The number of those that lead to a node: it rises along arcs, and stays the same on a circle only. *)
Definition ancestry (arcs : list arc) (nodes : list nat) (v : nat) := code (fun u => reach arcs u v) nodes.

Lemma ancestry_climbs : forall arcs nodes u v, In v nodes -> reach arcs u v = true ->
  ancestry arcs nodes u < ancestry arcs nodes v \/
  ancestry arcs nodes u = ancestry arcs nodes v /\ reach arcs v u = true.
Proof.
  intros arcs nodes u v at_v way. unfold ancestry.
  assert (code (fun x => reach arcs x u) nodes <= code (fun x => reach arcs x v) nodes)
    by (apply code_mono; intros; eapply reach_trans; eassumption).
  destruct (Nat.eq_dec (code (fun x => reach arcs x u) nodes) (code (fun x => reach arcs x v) nodes)) as [E|E].
  - right. split; [exact E|]. rewrite (code_inj _ _ _ E v at_v). apply reach_refl.
  - left. lia.
Qed.

Lemma ancestry_same : forall arcs nodes u v, In u nodes -> In v nodes ->
  ancestry arcs nodes u = ancestry arcs nodes v -> reach arcs u v = true /\ reach arcs v u = true.
Proof.
  intros arcs nodes u v at_u at_v E. unfold ancestry in E. split.
  - rewrite <- (code_inj _ _ _ E u at_u). apply reach_refl.
  - rewrite (code_inj _ _ _ E v at_v). apply reach_refl.
Qed.

(** * The split graph and its walks *)

Definition to_node (n : nesting) : nat :=
  2 * wanted n + match wantedAs n with WantSharedRecursive => 1 | _ => 0 end.
Definition from_nodes (n : nesting) : list nat :=
  match heldAs n with HeldShared => [2 * held n] | HeldExclusive => [2 * held n; 2 * held n + 1] end.

Definition arcs_of (ns : list nesting) : list arc :=
  flat_map (fun n => map (fun a => (a, to_node n)) (from_nodes n)) ns.

Lemma arcs_of_in : forall ns a b,
  In (a, b) (arcs_of ns) <-> exists n, In n ns /\ In a (from_nodes n) /\ b = to_node n.
Proof.
  intros ns a b. unfold arcs_of. rewrite in_flat_map. split.
  - intros (n & at_n & H). apply in_map_iff in H as (x & E & H). injection E as <- <-. eauto.
  - intros (n & at_n & H & ->). exists n. split; [exact at_n|]. now apply (in_map (fun a => (a, to_node n))).
Qed.

Inductive walk (ns : list nesting) : nat -> list nesting -> nat -> Prop :=
| stay : forall v, walk ns v [] v
| go : forall n rest a v, In n ns -> In a (from_nodes n) -> walk ns (to_node n) rest v -> walk ns a (n :: rest) v.

Lemma walk_app : forall ns u w v w' x, walk ns u w v -> walk ns v w' x -> walk ns u (w ++ w') x.
Proof. intros ns u w v w' x H K. induction H; simpl; [exact K|]. constructor; auto. Qed.

Lemma walk_in : forall ns u w v n, walk ns u w v -> In n w -> In n ns.
Proof. intros ns u w v n H. induction H; simpl; intros K; [destruct K|]. destruct K as [<-|K]; auto. Qed.

Lemma walk_mono : forall ns ms u w v, (forall n, In n ns -> In n ms) -> walk ns u w v -> walk ms u w v.
Proof. intros ns ms u w v sub H. induction H; constructor; auto. Qed.

Lemma walk_split : forall ns w u w' v, walk ns u (w ++ w') v -> exists x, walk ns u w x /\ walk ns x w' v.
Proof.
  intros ns w. induction w as [|n w IH]; simpl; intros u w' v H.
  - exists u. split; [constructor|exact H].
  - inversion H as [|? ? ? ? at_n at_u K]; subst. destruct (IH _ _ _ K) as (x & K1 & K2). exists x. split;
    [|exact K2].
    now constructor.
Qed.

Lemma reach_walk : forall ns arcs u v,
  (forall a b, In (a, b) arcs -> In (a, b) (arcs_of ns)) -> reach arcs u v = true -> exists w, walk ns u w v.
Proof.
  intros ns arcs. induction arcs as [|[a b] arcs IH]; simpl; intros u v sub H.
  - apply Nat.eqb_eq in H as ->. exists []. constructor.
  - apply orb_prop in H as [H|H]; [apply IH; auto|]. apply andb_prop in H as [H K].
    apply IH in H as (w & H); [|auto]. apply IH in K as (w' & K); [|auto].
    destruct (proj1 (arcs_of_in ns a b) (sub a b (or_introl eq_refl))) as (n & at_n & at_a & ->).
    exists (w ++ n :: w'). eapply walk_app; [exact H|]. now constructor.
Qed.

(** Neighbours on a walk: who waits at a node is blocked by who leaves it. *)
Lemma walk_nth : forall ns d w u v, walk ns u w v -> forall i, i < length w ->
  (i = 0 -> In u (from_nodes (nth i w d))) /\
  (S i < length w -> In (to_node (nth i w d)) (from_nodes (nth (S i) w d))) /\
  (S i = length w -> to_node (nth i w d) = v).
Proof.
  intros ns d w u v H. induction H as [|n rest a v at_n at_a K IH]; simpl; intros i L; [lia|].
  destruct i as [|i].
  - split; [auto|split].
    + intros L'. now apply (IH 0); lia.
    + intros E. destruct rest; [now inversion K|simpl in E; lia].
  - destruct (IH i ltac:(lia)) as (_ & I2 & I3). split; [lia|split]; intros; [apply I2|apply I3]; lia.
Qed.

Lemma link : forall n n', In (to_node n) (from_nodes n') -> wanted n = held n' /\ blocks (heldAs n') (wantedAs n).
Proof.
  unfold to_node, from_nodes, blocks. intros n n' H.
  destruct (heldAs n') eqn:E, (wantedAs n) eqn:W; simpl in H; split; try (left; reflexivity);
    try (right; discriminate); lia.
Qed.
