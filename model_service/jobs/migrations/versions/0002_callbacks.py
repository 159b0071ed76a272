"""Who is told of the end of a job."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns of callbacks; the jobs that there are want none."""
    op.add_column("jobs", sa.Column("callback_url", sa.Text))
    op.add_column("jobs", sa.Column("callback_state", sa.String(16)))
    op.add_column("jobs", sa.Column("callback_attempts", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("callback_problem", sa.Text, nullable=False, server_default=""))
    op.create_index("jobs_by_callback", "jobs", ["callback_state"])
