"""``python -m model_service``: the command line."""

from model_service.cli.main import main

if __name__ == "__main__":
    main()
