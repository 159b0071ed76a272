"""What a scrape is told: figures as Prometheus text or OpenMetrics. The only module that knows `prometheus_client`."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from model_service.metrics.families import FAMILIES, Family, Kind
from model_service.metrics.figures import Figures, Key


def write_exposition(figures: Figures, accept: str) -> tuple[bytes, str]:
    """Return a scrape and its media type, as the header ``Accept`` asks for it."""
    encode, media_type = choose_encoder(accept)
    return encode(_Collector(figures)), media_type


class _Collector(Collector):
    """Figures as the library wants them."""

    def __init__(self, figures: Figures) -> None:
        self._parts: dict[str, list[tuple[Key, float | list[float]]]] = {}
        for part in (figures.counters, figures.histograms, figures.gauges):
            for (name, *labels), value in part.items():
                self._parts.setdefault(name, []).append((tuple(labels), value))

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES:
            yield _fill(family, sorted(self._parts.get(family.name, []), key=lambda part: part[0]))


def _fill(family: Family, parts: list[tuple[Key, float | list[float]]]) -> Metric:
    metric: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    if family.kind is Kind.HISTOGRAM:
        metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        names = [*map(floatToGoString, family.bounds), "+Inf"]
        for labels, numbers in parts:
            assert isinstance(numbers, list)
            total, *counts = numbers
            metric.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), sum_value=total)
        return metric
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(family.name.removesuffix("_total"), family.help, labels=family.labels)
    for labels, value in parts:
        assert not isinstance(value, list)
        metric.add_metric(labels, value)
    return metric
