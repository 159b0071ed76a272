"""The tables of jobs, as the newest migration leaves them; `tests/jobs/test_database.py` compares the two."""

import sqlalchemy as sa

METADATA = sa.MetaData()

JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    # What was asked for
    sa.Column("qualified_name", sa.String(200), nullable=False),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("input_format", sa.String(16), nullable=False),
    sa.Column("output_format", sa.String(16), nullable=False),
    sa.Column("encoding", sa.String(16), nullable=False),
    sa.Column("file_name", sa.String(200), nullable=False),
    sa.Column("input_bytes", sa.BigInteger, nullable=False),
    sa.Column("input_sha256", sa.String(64), nullable=False),
    sa.Column("chunk_rows", sa.Integer, nullable=False),
    sa.Column("max_failed_rows", sa.BigInteger),
    sa.Column("caller", sa.String(200), nullable=False),
    sa.Column("idempotency_key", sa.String(200)),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("callback_url", sa.Text),
    # How far it has come
    sa.Column("rows_done", sa.BigInteger, nullable=False),
    sa.Column("rows_failed", sa.BigInteger, nullable=False),
    sa.Column("rows_total", sa.BigInteger),
    sa.Column("input_position", sa.BigInteger, nullable=False),
    sa.Column("output_bytes", sa.BigInteger, nullable=False),
    sa.Column("chunks", sa.Integer, nullable=False),
    sa.Column("busy_s", sa.Double, nullable=False),
    sa.Column("problem_code", sa.String(64), nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    # Who is told of its end
    sa.Column("callback_state", sa.String(16)),
    sa.Column("callback_attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("callback_problem", sa.Text, nullable=False, server_default=""),
    # Who works on it
    sa.Column("token", sa.String(32)),
    sa.Column("beat", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.UniqueConstraint("caller", "idempotency_key", name="one_job_per_key"),
    sa.Index("jobs_by_state", "state", "created_at"),
    sa.Index("jobs_by_age", "created_at", "id"),
    sa.Index("jobs_by_callback", "callback_state"),
)

CHUNKS = sa.Table(
    "chunks",
    METADATA,
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)
