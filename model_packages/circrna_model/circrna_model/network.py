"""The transformer, in PyTorch. Imported by training and by the native class, never by the served one.

    tokens (rows, windows, nt) -> 3-mer embedding -> three streams, one a reading frame, same weights for each
        -> convolution over codons -> one position a patch of 16 codons; a position for the summary goes in front
        -> encoder layers, attention along each frame of each window -> masked mean and maximum over all windows
        -> one vector a frame -> mean and maximum over frames -> with the summary: logit

A frame's vector knows what no sum over frames can: that one frame, whichever it is, is open
from end to end. Nothing a row computes reads another row, and padding is masked four times:
its embedding is zero, so are its outputs of the first convolution, no position attends to
it, and the pooling leaves it out. There is no batch normalisation.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from circrna_model.features import KMER, PAD_TOKEN, PATCH, SUMMARY_SIZE, VOCABULARY, locate_parts

#: Added to the score of a masked position. Finite, so that a window of padding alone gives no NaN.
_MASKED = -1e9
#: How fast the marks of the two ends fade, in patches.
_END_SCALES = (0.5, 2.0, 8.0)
#: Columns of the summary whose thresholds matter, given to the network in `BINS` pieces each.
BINNED_COLUMNS = locate_parts("open_frame_shares", "open_frame_lengths", "log_length")
BINS = 24
_MIN_BIN = 1e-4


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """The numbers that fix the shape of one network."""

    embedding: int = 32
    channels: int = 64
    width: int = 64
    layers: int = 2
    heads: int = 4
    feedforward: int = 128
    summary_width: int = 96
    dropout: float = 0.1
    summary_dropout: float = 0.1

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON types."""
        return asdict(self)


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and feed-forward over (rows, positions, width)."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.norm_attention = nn.LayerNorm(size.width)
        self.query_key_value = nn.Linear(size.width, 3 * size.width)
        self.joined = nn.Linear(size.width, size.width)
        self.norm_feedforward = nn.LayerNorm(size.width)
        self.feedforward = nn.Sequential(
            nn.Linear(size.width, size.feedforward),
            nn.GELU(),
            nn.Linear(size.feedforward, size.width),
        )
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """Attend along the positions; ``bias`` of shape (rows, 1, 1, positions) masks the padding."""
        rows, positions, width = states.shape
        joint = self.query_key_value(self.norm_attention(states))
        query, key, value = (
            part.reshape(rows, positions, self.heads, width // self.heads).transpose(1, 2)
            for part in joint.chunk(3, dim=-1)
        )
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5 + bias
        attended = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(rows, positions, width)
        states = states + self.joined(attended)
        changed: Tensor = self.dropout(self.feedforward(self.norm_feedforward(states)))
        return states + changed


class SummaryReader(nn.Module):
    """Summaries (rows, `SUMMARY_SIZE`) to vectors (rows, width)."""

    mean: Tensor
    scale: Tensor
    edges: Tensor

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(SUMMARY_SIZE))
        self.register_buffer("scale", torch.ones(SUMMARY_SIZE))
        self.register_buffer("edges", torch.zeros(len(BINNED_COLUMNS), BINS + 1))
        self.row_dropout = size.summary_dropout
        self.layers = nn.Sequential(
            nn.Dropout(size.summary_dropout),
            nn.Linear(SUMMARY_SIZE + len(BINNED_COLUMNS) * BINS, size.summary_width),
            nn.GELU(),
            nn.Dropout(size.dropout),
            nn.Linear(size.summary_width, size.width),
        )

    def fit_scale(self, summaries: Tensor) -> None:
        """Take means, deviations and quantiles from the summaries that are trained on."""
        deviation = summaries.std(dim=0, correction=0)
        # A column that never changes says nothing and must not divide by zero.
        self.scale.copy_(torch.where(deviation < 1e-6, torch.ones_like(deviation), deviation))
        self.mean.copy_(summaries.mean(dim=0))
        self.edges.copy_(torch.quantile(summaries[:, BINNED_COLUMNS], torch.linspace(0, 1, BINS + 1), dim=0).T)

    def forward(self, summary: Tensor) -> Tensor:
        """Return vectors of shape (rows, width)."""
        scaled = ((summary - self.mean) / self.scale).clamp(-6.0, 6.0)
        low, high = self.edges[:, :-1], self.edges[:, 1:]
        filled = (summary[:, BINNED_COLUMNS].unsqueeze(-1) - low) / (high - low).clamp(min=_MIN_BIN)
        joined = torch.cat([scaled, 2.0 * filled.clamp(0.0, 1.0).flatten(1) - 1.0], dim=-1)
        if self.training and self.row_dropout > 0:
            # Without it the summary, which is quick to learn, would leave nothing for the attention to explain.
            joined = joined * (torch.rand(len(joined), 1) >= self.row_dropout)
        vectors: Tensor = self.layers(joined)
        return vectors


class CircRnaNetwork(nn.Module):
    """One transformer: tokens and summary to a logit."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), size.embedding, padding_idx=PAD_TOKEN)
        # Two convolutions, over three codons and over a patch, written as products: a third faster on a CPU.
        self.codons = nn.Linear(3 * size.embedding, size.channels)
        self.patches = nn.Linear(PATCH // KMER * size.channels, size.width)
        self.peaks = nn.Linear(size.channels, size.width)
        self.ends = nn.Linear(2 * len(_END_SCALES), size.width)
        self.summary = SummaryReader(size)
        self.layers = nn.ModuleList(EncoderLayer(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.frame = nn.Sequential(
            nn.Linear(3 * size.width, size.width), nn.GELU(), nn.Linear(size.width, size.width), nn.GELU()
        )
        self.head = nn.Sequential(
            nn.Linear(3 * size.width, size.width), nn.GELU(), nn.Dropout(size.dropout), nn.Linear(size.width, 1)
        )

    def forward(self, tokens: Tensor, summary: Tensor) -> Tensor:
        """Return logits of shape (rows,).

        Args:
            tokens: Tokens of shape (rows, windows, nucleotides), whole patches, int64.
            summary: Summaries of shape (rows, `SUMMARY_SIZE`), float32.
        """
        rows, windows, nucleotides = tokens.shape
        patches = nucleotides // PATCH
        is_real = (tokens.reshape(rows, windows * patches, PATCH)[:, :, 0] != PAD_TOKEN).float()
        states = self._embed_patches(tokens.reshape(rows * windows, nucleotides))
        width = states.shape[-1]
        marks = self._mark_ends(is_real).reshape(rows * windows, 1, patches, width)
        states = (states.reshape(rows * windows, KMER, patches, width) + marks).reshape(-1, patches, width)
        front = self.summary(summary)
        fronts = front[:, None, :].expand(rows, windows * KMER, width).reshape(rows * windows * KMER, 1, width)
        states = torch.cat([fronts, states], dim=1)
        is_masked = (1.0 - is_real.reshape(rows * windows, 1, patches)).expand(rows * windows, KMER, patches)
        bias = functional.pad(is_masked.reshape(rows * windows * KMER, patches) * _MASKED, (1, 0))
        for layer in self.layers:
            states = layer(states, bias[:, None, None, :])
        frames = self._pool(self.norm(states).reshape(rows, windows, KMER, patches + 1, width), is_real)
        logits: Tensor = self.head(torch.cat([frames.mean(dim=1), frames.amax(dim=1), front], dim=-1)).squeeze(-1)
        return logits

    def _embed_patches(self, tokens: Tensor) -> Tensor:
        """Return one vector a patch and frame, of shape (3 x windows, patches, width)."""
        windows, nucleotides = tokens.shape
        codons = nucleotides // KMER
        framed = tokens.reshape(windows, codons, KMER).transpose(1, 2).reshape(windows * KMER, codons)
        embedded = functional.pad(self.embedding(framed), (0, 0, 1, 1))
        neighbours = torch.cat([embedded[:, :-2], embedded[:, 1:-1], embedded[:, 2:]], dim=-1)
        read = torch.relu(self.codons(neighbours))
        read = read * (framed != PAD_TOKEN).to(read.dtype).unsqueeze(-1)
        read = read.reshape(windows * KMER, codons * KMER // PATCH, PATCH // KMER, -1)
        vectors: Tensor = self.patches(read.flatten(2)) + self.peaks(read.amax(dim=2))
        return vectors

    def _mark_ends(self, is_real: Tensor) -> Tensor:
        """Embed how near a patch is to either end; in between both marks fade to nothing."""
        number = torch.cumsum(is_real, dim=1)
        from_start, from_end = number - 1.0, is_real.sum(dim=1, keepdim=True) - number
        marks = [torch.exp(-distance / scale) for scale in _END_SCALES for distance in (from_start, from_end)]
        vectors: Tensor = self.ends(torch.stack(marks, dim=-1) * is_real.unsqueeze(-1))
        return vectors

    def _pool(self, states: Tensor, is_real: Tensor) -> Tensor:
        """Join the windows: (rows, windows, frames, 1 + patches, width) to (rows, frames, width)."""
        rows, windows, frames, positions, width = states.shape
        front = states[:, :, :, 0].mean(dim=1)
        read = states[:, :, :, 1:].transpose(1, 2).reshape(rows, frames, windows * (positions - 1), width)
        mask = is_real[:, None, :, None]
        mean = (read * mask).sum(dim=2) / mask.sum(dim=2).clamp(min=1.0)
        maximum = (read + (1.0 - mask) * _MASKED).amax(dim=2)
        vectors: Tensor = self.frame(torch.cat([mean, maximum, front], dim=-1))
        return vectors


class Ensemble(nn.Module):
    """Some networks trained from different seeds; their logits are averaged."""

    def __init__(self, networks: list[CircRnaNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, tokens: Tensor, summary: Tensor) -> Tensor:
        """Return probabilities of a circular RNA, of shape (rows,)."""
        logits = torch.stack([network(tokens, summary) for network in self.networks])
        return torch.sigmoid(logits.mean(dim=0))
