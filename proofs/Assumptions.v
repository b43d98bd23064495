(** What the theorems rest on: nothing but the logic itself. [proofs/check] reads the output. *)

From LockOrder Require Import Certificate Converse.

Print Assumptions certificate_excludes_deadlock.
Print Assumptions certificate_iff_no_deadlock.
