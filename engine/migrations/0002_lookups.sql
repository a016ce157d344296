-- What the monitor and the commands ask for: one symbol over time, one campaign, one order.

CREATE INDEX events_by_symbol ON events (run, symbol, timeframe, known_ns);
CREATE INDEX phase_changes_by_symbol ON phase_changes (run, symbol, timeframe, time_ns);
CREATE INDEX campaign_changes_by_campaign ON campaign_changes (run, campaign, number);
CREATE INDEX verdicts_by_intent ON verdicts (run, intent_id);
CREATE INDEX orders_by_campaign ON orders (run, campaign);
CREATE INDEX executions_by_order ON executions (run, order_id);
