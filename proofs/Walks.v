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
  induction arcs as [|[a b] arcs IH]; simpl; intros u v w; [now intros ->%Nat.eqb_eq|].
  rewrite !orb_true_iff, !andb_true_iff. intros [H|[H H']] [K|[K K']]; eauto 6.
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

Lemma ancestry_mono : forall arcs nodes u v, reach arcs u v = true -> ancestry arcs nodes u <= ancestry arcs nodes v.
Proof. intros arcs nodes u v way. apply code_mono. intros x _ K. eapply reach_trans; eassumption. Qed.

Lemma ancestry_same : forall arcs nodes u v, In u nodes -> ancestry arcs nodes u = ancestry arcs nodes v ->
  reach arcs u v = true.
Proof. intros arcs nodes u v at_u E. rewrite <- (code_inj _ _ _ E u at_u). apply reach_refl. Qed.

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

Fixpoint walk (ns : list nesting) (u : nat) (w : list nesting) (v : nat) : Prop :=
  match w with
  | [] => u = v
  | n :: rest => In n ns /\ In u (from_nodes n) /\ walk ns (to_node n) rest v
  end.

Lemma walk_app : forall ns w w' u v, walk ns u (w ++ w') v <-> exists x, walk ns u w x /\ walk ns x w' v.
Proof.
  intros ns w w'. induction w as [|n w IH]; simpl; intros u v; [|rewrite IH; firstorder].
  split; [eauto|now intros (x & -> & W)].
Qed.

Lemma walk_in : forall ns w u v n, walk ns u w v -> In n w -> In n ns.
Proof. intros ns w. induction w as [|m w IH]; simpl; [easy|]. intros u v n (M & _ & W) [<-|H]; eauto. Qed.

Lemma walk_mono : forall ns ms w u v, (forall n, In n ns -> In n ms) -> walk ns u w v -> walk ms u w v.
Proof. intros ns ms w. induction w as [|m w IH]; simpl; firstorder. Qed.

Lemma reach_walk : forall ns arcs u v,
  (forall a b, In (a, b) arcs -> In (a, b) (arcs_of ns)) -> reach arcs u v = true -> exists w, walk ns u w v.
Proof.
  intros ns arcs. induction arcs as [|[a b] arcs IH]; simpl; intros u v sub H; [now exists [];apply Nat.eqb_eq|].
  apply orb_prop in H as [H|H]; [apply IH; auto|]. apply andb_prop in H as [H K].
  apply IH in H as (w & H); [|auto]. apply IH in K as (w' & K); [|auto].
  destruct (proj1 (arcs_of_in ns a b) (sub a b (or_introl eq_refl))) as (n & at_n & at_a & ->).
  exists (w ++ n :: w'). apply walk_app. exists a. simpl. auto.
Qed.

(** Neighbours on a walk: who waits at a node is blocked by who leaves it. *)
Lemma walk_nth : forall ns d w u v, walk ns u w v -> forall i, i < length w ->
  In (if i =? 0 then u else to_node (nth (i - 1) w d)) (from_nodes (nth i w d)) /\
  (S i = length w -> to_node (nth i w d) = v).
Proof.
  intros ns d w. induction w as [|n w IH]; simpl; intros u v W i L; [lia|]. destruct W as (at_n & at_u & W).
  destruct i as [|i]; [split; [exact at_u|destruct w; simpl in *; [auto|lia]]|].
  destruct (IH _ _ W i ltac:(lia)) as [I E]. split; [|intros; apply E; lia].
  destruct i as [|i]; [exact I|]. simpl in *. now rewrite Nat.sub_0_r in *.
Qed.

Lemma link : forall n n', In (to_node n) (from_nodes n') -> wanted n = held n' /\ blocks (heldAs n') (wantedAs n).
Proof.
  unfold to_node, from_nodes, blocks. intros n n' H.
  destruct (heldAs n'), (wantedAs n); simpl in H; split; auto; try (right; discriminate); lia.
Qed.
