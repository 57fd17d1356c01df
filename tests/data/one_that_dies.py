"""Work that a process does not survive; apart, so that a fresh process loads nothing else."""

from __future__ import annotations

import os


def double_or_die(item: int) -> int:
    """Twice the item; 3 ends the process as if it were killed."""
    if item == 3:
        os._exit(1)
    return 2 * item
