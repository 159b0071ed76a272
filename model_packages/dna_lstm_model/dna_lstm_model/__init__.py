"""Binding of a transcription factor to 50 nucleotides of DNA."""

from dna_lstm_model.model import DnaLstmModel

__all__ = ["DnaLstmModel"]
