(** The model on three small graphs: the theorem is not about nothing.

    The copy of a dirty bitmap to a controlling caller has a certificate. Two locks taken both ways have none that is
    accepted, and there is a state of the model, all premises met, in which they deadlock. *)

From Coq Require Import Arith List.
From LockOrder Require Import Model Certificate.
Import ListNotations.

Definition plain := {| recursive := false; ordered := false; unowned := false |}.

Definition exclusively (h w : nat) (r : relation) :=
  {| held := h; wanted := w; between := r;
     heldAs := HeldExclusive; wantedAs := WantExclusive; which := Any |}.

(** p2m is 0, paging is 1: dirty marking nests them in one domain, the copy goes up. *)
Definition log_dirty :=
  {| tiers := None; classes := [plain; plain]; nestings := [exclusively 0 1 Same; exclusively 1 0 Up] |}.

Definition log_dirty_certificate :=
  let places := [{| layer := 0; rank := 0 |}; {| layer := 0; rank := 1 |}] in
  {| bound := None; directions := [Upwards]; non_recursive := places; recursive_reads := places |}.

Example log_dirty_is_covered : check log_dirty log_dirty_certificate = true.
Proof. reflexivity. Qed.

(** The same places with the wrong direction. *)
Example wrong_direction_is_refused :
  check log_dirty {| bound := None; directions := [Downwards];
                     non_recursive := non_recursive log_dirty_certificate;
                     recursive_reads := recursive_reads log_dirty_certificate |} = false.
Proof. reflexivity. Qed.

(** * Two steps up, and back by way of a lock of nobody: where there are two tiers *)

Definition around (most : option nat) :=
  {| tiers := most; classes := [plain; plain; plain; {| recursive := false; ordered := false; unowned := true |}];
     nestings := [exclusively 0 1 Up; exclusively 1 2 Up; exclusively 2 3 Other; exclusively 3 0 Other] |}.

Definition around_certificate :=
  let places := map (fun l => {| layer := l; rank := 0 |}) [3; 3; 0; 4; 0; 1; 2; 2] in
  {| bound := Some 2; directions := []; non_recursive := places; recursive_reads := places |}.

Example two_tiers_are_covered_and_no_more :
  map (fun most => check (around most) around_certificate) [Some 1; Some 2; Some 3; None] = [true; true; false; false].
Proof. reflexivity. Qed.

(** * Both ways in one domain *)

Definition both_ways :=
  {| tiers := None; classes := [plain; plain]; nestings := [exclusively 0 1 Same; exclusively 1 0 Same] |}.

Definition nobody_controls (_ _ : unit) := False.

Definition the_lock (c : nat) : lock unit := {| kind := c; owner := Some tt; key := 0; name := 0 |}.

(** CPU [false] holds lock 0 and wants lock 1; CPU [true] the reverse. *)
Definition stuck_state : state unit bool :=
  {| holds := fun (c : bool) l m => l = the_lock (if c then 1 else 0) /\ m = HeldExclusive;
     wants := fun (c : bool) l k => l = the_lock (if c then 0 else 1) /\ k = WantExclusive |}.

Example premises_can_be_met : state_of unit nobody_controls bool both_ways stuck_state.
Proof.
  split.
  - intros [] h m w k [-> ->] [-> ->];
      [exists (exclusively 1 0 Same) | exists (exclusively 0 1 Same)]; split; simpl; auto; discriminate.
  - intros [] [] l m [-> _] [E _]; auto; discriminate.
  - intros [] l k R [-> _] [E _]; discriminate.
  - discriminate.
Qed.

Example and_then_it_deadlocks : circular_wait stuck_state false [true].
Proof.
  split; [exists (the_lock 1)|exists (the_lock 0)]; exists WantExclusive, HeldExclusive;
    repeat split; now left.
Qed.

(** So no certificate whatever is accepted. *)
Example nothing_covers_both_ways : forall t, check both_ways t = false.
Proof.
  intros t. destruct (check both_ways t) eqn:C; [|reflexivity].
  assert (O : strict_order unit nobody_controls) by (split; auto).
  destruct (certificate_excludes_deadlock _ _ C _ _ O _ _ premises_can_be_met) as [_ none].
  now destruct (none _ _ and_then_it_deadlocks).
Qed.
