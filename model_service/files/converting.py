"""What is written in parts and becomes another format at its end: Parquet, of which no part can stand alone."""

import os
from pathlib import Path

from model_service.files.formats import FORMATS, Format


def format_of_part(target: Format) -> Format:
    """Return the format in which the parts of a file are written that has a format in the end."""
    return FORMATS["arrow"] if target.name == "parquet" else target


def finish_part(part: Path, target: str | os.PathLike[str], target_format: Format) -> None:
    """Make a file of a part that is whole: it is there at once, or not at all."""
    if target_format.name == "parquet":
        converted = Path(f"{part}.parquet")
        with part.open("rb") as stream, converted.open("wb") as sink:
            target_format.find_writer().convert(stream, sink)
        converted.replace(target)
        part.unlink()
    else:
        part.replace(target)
