"""Readings in which the kernels and the rules differ: switched off one by one, so that the rest is compared."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """True: as the rules say. False: as the comment says."""

    b_never_back_to_a: bool = True  # 4.3; else a climax takes the place of a soft stop in B too (T20)


ALL = Parts()
