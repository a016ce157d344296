"""Whether real orders may be sent: several signals, given in different places, have to agree.

One typo, one variable or a copied file must not make paper live, and a wish for live must not
end in paper unnoticed: every disagreement refuses to start.
"""

from engine.config import Config


def disagreement(config: Config, *, wants_live: bool, armed_account: str, reported_account: str | None) -> str:
    """Why a start is refused, "" where all signals agree.

    `wants_live` is --live, `armed_account` the variable WYCKOFF_ARM_LIVE, `reported_account` what the broker
    says, None before it has been asked.
    """
    if config.run.mode != "live":
        asked = "--live" if wants_live else "WYCKOFF_ARM_LIVE" if armed_account else ""
        return f"{asked} was given, but run.mode is {config.run.mode}" if asked else ""
    assert config.account is not None
    expected = config.account.expected_account
    if not wants_live and not armed_account:
        return "run.mode is live, but neither --live nor WYCKOFF_ARM_LIVE was given"
    if armed_account and armed_account != expected:
        return "WYCKOFF_ARM_LIVE names another account than account.expected_account"
    if reported_account is not None and reported_account != expected:
        return "the broker reports another account than account.expected_account"
    return ""
