"""A streaming Wyckoff trading engine: a line of deterministic stages over one log of facts.

facts -> Journal -> BarAggregator -> PhaseDetector -> Market -> CampaignManager -> RiskGate
      -> OrderRouter -> Tap

Journal          numbers every fact and hands it to the tape (`engine.journal`, `engine.tape`)
BarAggregator    keeps line time, closes bars of every timeframe (`engine.bars`)
PhaseDetector    recognises Wyckoff events and phases as bars close (`engine.wyckoff`)
Market           fires watches and, in simulation, matches orders (`engine.market`)
CampaignManager  turns detections into campaigns and intents (`engine.campaigns`)
RiskGate         the only maker of `Approved`; keeps the portfolio and its heat (`engine.risk`)
OrderRouter      turns approvals into orders (`engine.orders`)
Tap              folds the digest and feeds store and monitor (`engine.tap`)
"""
