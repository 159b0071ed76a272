"""What docs and deploy/ say of metrics, held against a scrape."""

from pathlib import Path

from scraping import Scrape

from model_service.metrics.families import FAMILIES

ROOT = Path(__file__).parents[2]


def test_the_table_of_metrics_is_what_a_scrape_says(make_client):
    client = make_client("models.DoubleModel")
    shown = {family.name: family for family in Scrape(client.get("/metrics").text).families}
    _, _, table = (ROOT / "docs" / "operations.md").read_text().partition("| metric | type | labels | what it says |\n")
    lines = table.partition("\n\n")[0].splitlines()[1:]
    documented = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    expected = []
    for family in FAMILIES:
        told = shown[family.name.removesuffix("_total")]
        name = family.name.removeprefix("model_service_")
        expected.append([f"`{name}`", told.type, ", ".join(family.labels) or "-", told.documentation])
    assert documented == expected
    assert {name for name in shown if name.startswith("model_service_")} == {
        family.name.removesuffix("_total") for family in FAMILIES
    }
