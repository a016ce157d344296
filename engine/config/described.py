"""What the keys say that are declared elsewhere: the one place where they are explained for people.

The models of campaigns, risk and the fill model explain themselves to readers of the code; a test
holds this table to their fields, so that none is missing and none is stale.
"""

from typing import Final

DESCRIBED: Final = {
    "campaigns.cap_percent": "Percent of equity that one campaign may risk, its realised losses included; at most 5.",
    "campaigns.trade_percent": "Percent of equity that one entry may risk; at most 2.",
    "campaigns.split_percent": "How the cap is divided among spring, sign of strength and last point of support.",
    "campaigns.pattern_percent": "Percent of equity that an entry of each pattern may risk.",
    "campaigns.lps_alone_score": "Score from which an LPS is bought without legs before it.",
    "campaigns.activate_score": "Score of a first event that makes a campaign active at once.",
    "campaigns.opposite_score": "Score of an event against a campaign that ends it.",
    "campaigns.dormant_bars": "Bars without a pattern after which a campaign sleeps, by timeframe.",
    "campaigns.expire_bars": "Bars without an event after which a campaign ends, by timeframe.",
    "campaigns.time_stop_bars": "Bars after which a leg that has not made 1 R is closed, by timeframe.",
    "campaigns.cooldown_days": "Trading days without entry in a symbol after a loss by stop, by asset class.",
    "campaigns.max_positions": "Positions that may be held at once; at most 5.",
    "campaigns.low_budget_percent": "A campaign with less of its budget left than this is told to be low on it.",
    "campaigns.answer_seconds": "Line time after which an intent that no venue has answered counts as refused.",
    "risk.rules": "Rules that judge every entry, in this order; without rules nothing is approved.",
    "risk.heat_warning_bp": "Portfolio heat from here on is WARNING.",
    "risk.heat_critical_bp": "Portfolio heat from here on is CRITICAL.",
    "risk.heat_limit_bp": "No entry may bring portfolio heat here. Never above 1000.",
    "risk.trade_limit_bp": "Basis points of equity that one entry may risk; at most 200.",
    "risk.campaign_limit_bp": "Basis points of equity that one campaign may risk; at most 500.",
    "risk.campaign_warning_bp": "Basis points of equity at risk in one campaign from which it is told; at most 400.",
    "risk.daily_loss_bp": "Loss since the first equity of a UTC day, basis points, at which entries stop for that day.",
    "risk.drawdown_bp": "Basis points below the highest equity at which entries stop until `reset-drawdown`.",
    "risk.notional_cap_bp": "Basis points of equity that one position may be worth; at most 2000. Larger ones are cut.",
    "risk.max_symbol_entries": "Working entries in one symbol; at most 2.",
    "risk.max_entries": "Working entries in the account; at most 50.",
    "paper.latency_ns": "From decision to venue, on trades; on bars latency is part of slippage.",
    "paper.participation": "Share of a row's size that all orders together may take.",
    "paper.half_spread_bp": "Half the spread of a liquid market.",
    "paper.impact_bp": "Impact, times the square root of the share of the row that is taken.",
    "paper.stock_per_share": "Commission on stocks: per share, in account currency.",
    "paper.stock_minimum": "Commission on stocks: at least this much an order.",
    "paper.crypto_taker_bp": "Fee on crypto, basis points of value.",
    "paper.fx_taker_bp": "Fee on currencies, basis points of value.",
    "paper.future_taker_bp": "Fee on futures, basis points of value.",
    "strategies.wyckoff_bmad.sos_entry": "Whether the second leg of 40/30/30 buys the sign of strength itself.",
}
