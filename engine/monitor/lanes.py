"""The queues of the engine as it tells them; what it leaves out is filled in from what was seen here."""

from collections.abc import Mapping

import msgspec

from engine.control.status import LaneView
from engine.monitor.replica import Replica


class Lanes:
    """`capacities` are those of the configuration, by stage."""

    def __init__(self, replica: Replica, capacities: Mapping[str, int]) -> None:
        self._replica = replica
        self._capacities = capacities
        self._high_water: dict[str, int] = {}

    def now(self) -> list[LaneView]:
        """Empty where no engine runs."""
        return [self._whole(one) for one in self._told()]

    def _told(self) -> list[LaneView]:
        queues, status = self._replica.queues, self._replica.status
        if queues is not None and queues.lanes:
            return list(queues.lanes)
        if status is None:
            return []
        depths = {"inbox.control": status.loop.waiting_control, "inbox.market": status.loop.waiting_market}
        return [LaneView(stage=stage, depth=depth, capacity=None, high_water=0) for stage, depth in depths.items()]

    def _whole(self, one: LaneView) -> LaneView:
        seen = max(one.depth, one.high_water, self._high_water.get(one.stage, 0))
        self._high_water[one.stage] = seen
        capacity = self._capacities.get(one.stage) if one.capacity is None else one.capacity
        return msgspec.structs.replace(one, capacity=capacity, high_water=seen)
