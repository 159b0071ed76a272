"""Proves a package that lies in the working folder: ``python -m model_service.scaffold.proving CLASS [pickled]``."""

import sys

from model_service.errors import ServiceError
from model_service.loading import import_model_class
from model_service.testing import check_package


def main() -> None:
    """Build the model of a class and hold it to what a package owes; a pickle among its artifacts may be allowed."""
    class_path, *rest = sys.argv[1:]
    try:
        check_package(import_model_class(class_path), may_hold_pickles=bool(rest)).close()
    except AssertionError as error:
        sys.exit(str(error))
    except ServiceError as error:
        sys.exit("; ".join([error.message, *getattr(error, "__notes__", ())]))


if __name__ == "__main__":
    main()
