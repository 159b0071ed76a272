"""Which version of a model answers a request that names none, and what is said of a version: per listed model."""

from dataclasses import dataclass
from datetime import date

from model_service.config_setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficConfig:
    """How requests come to one version of a model."""

    weight: float | None = setting(
        None,
        bounds=(0, 1_000_000),
        help="This version's share of the requests that name no version, beside the weights of the others. Null: none "
        "of them where another version has a weight.",
    )
    aliases: tuple[str, ...] = setting(
        (), help="Names of this version, as in `loan_model@stable`; each means one version of a model."
    )
    sticky_header: str | None = setting(
        None,
        help="Requests with the same value of this header go to the same version, as long as the weights are the same.",
    )
    sticky_field: str | None = setting(
        None,
        help="Requests with the same value in this field of their first row go to the same version, as long as the "
        "weights are the same.",
    )
    shadow: float | None = setting(
        None,
        bounds=(0, 1),
        help="Share of the requests that other versions answer of which this one gets a copy; its answers are compared "
        "and thrown away. Such a version answers only requests that name it, and needs `backend: process`.",
    )
    deprecated: date | None = setting(
        None, help="Day from which this version is not to be used any more: the header `Deprecation` says it."
    )
    sunset: date | None = setting(None, help="Day on which this version goes away: the header `Sunset` says it.")
    deprecation_link: str | None = setting(
        None, help="Address of a page that says what to use instead: the header `Link` says it."
    )
