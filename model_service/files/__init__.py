"""Files of rows in any format: in as rows of typed payloads, out as the same rows with what became of them.

formats.py        the table of formats; what a media type or the end of a file's name means
rows.py           what readers give and writers take: rows, the head of a file, bounds
opening.py        format -> reader, writer
blocks.py         bytes of a stream, in full blocks, and the lines in them; no further than a bound
csv_rows.py       CSV -> rows
json_rows.py      JSON lines, or an array -> rows
fasta_rows.py     FASTA -> rows, for models of one sequence
arrow_rows.py     Parquet and Arrow IPC streams -> rows (the extra `arrow`)
parquet_pages.py  what a row group becomes in memory, before it is read
ipc_messages.py   the messages of an Arrow stream, held against a bound before they are inflated
leftovers.py      what a row of JSON has beside the columns
columns.py        the columns of an output: those of the input, of the prediction, of the error
csv_writing.py    rows and what became of them -> CSV
json_writing.py   the same -> JSON lines
arrow_writing.py  the same -> Parquet and Arrow IPC streams
converting.py     what is written in parts and becomes Parquet at its end

Nothing here knows HTTP, a model's code or a job. Nothing holds more of a file than a chunk of rows.
"""
