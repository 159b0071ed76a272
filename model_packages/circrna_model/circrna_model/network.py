"""The transformer, in PyTorch. Imported by training and by the native class, never by the served one.

    tokens (rows, windows, nt) -> 3-mer embedding -> three streams, one a reading frame, same weights for each
        -> convolution over codons -> one position a patch of 16 codons; the patch over the join goes in front
        -> encoder layers, attention round the circle, frame after frame -> masked mean and maximum over all windows
        -> one vector a frame -> mean and maximum over frames, with the front -> logit

Tokens are all it reads. Attention is gated: every codon may close a gate that positions
on either side cannot look past. Where the gates are, is learnt; a network that learns to
close them at stop codons sees open reading frames, and how many positions each one still
reaches is their length.

Nothing a row computes reads another row, and padding is masked wherever it could be read:
in the codons, in the gates, in the attention and in the pooling. There is no batch normalisation.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from circrna_model.features import KMER, PAD_TOKEN, PATCH, VOCABULARY

#: Added to the score of a masked position. Finite, so that a window of padding alone gives no NaN.
_MASKED = -1e9
#: What a gate takes that lets nothing through.
CLOSED = 50.0
#: Gates are nearly open before training.
_OPEN_GATE = -5.0
#: A sequence's log length is given as how far it is past each of these steps.
_LENGTH_STEPS = (5.0, 5.4, 5.7, 6.0, 6.3, 6.6, 7.0, 7.5, 8.0, 9.0)
#: Of the patch over the join, only the middle is read: far from it the ends tell no more than any other letters.
JOIN_KMERS = 24
_JOIN_BEGIN = (PATCH - JOIN_KMERS) // 2
#: What training asks besides the label: of each frame and of the circle (`frames.measure_frames`), and which codons
#: the longest open run holds.
FRAME_TARGETS = 3
CODON_TARGETS = 64


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """The numbers that fix the shape of one network."""

    embedding: int = 32
    channels: int = 64
    width: int = 64
    layers: int = 2
    heads: int = 4
    feedforward: int = 128
    dropout: float = 0.2

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON types."""
        return asdict(self)


class EncoderLayer(nn.Module):
    """Pre-norm gated self-attention and feed-forward over (rows, positions, width)."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.norm_attention = nn.LayerNorm(size.width)
        self.query_key_value = nn.Linear(size.width, 3 * size.width)
        self.joined = nn.Linear(size.width, size.width)
        self.reach = nn.Linear(2 * size.heads, size.width)
        self.norm_feedforward = nn.LayerNorm(size.width)
        self.feedforward = nn.Sequential(
            nn.Linear(size.width, size.feedforward),
            nn.GELU(),
            nn.Dropout(size.dropout),
            nn.Linear(size.feedforward, size.width),
        )
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, states: Tensor, bias: Tensor, reach: Tensor) -> Tensor:
        """Attend along the positions.

        Args:
            states: (rows, positions, width); the first position is the patch over the join.
            bias: (rows, heads, positions, positions), masks the padding and what lies behind closed gates.
            reach: (rows, positions, 2 x heads), how many positions each one can see: log, and log of the share.
        """
        rows, positions, width = states.shape
        joint = self.query_key_value(self.norm_attention(states))
        query, key, value = (
            part.reshape(rows, positions, self.heads, width // self.heads).transpose(1, 2)
            for part in joint.chunk(3, dim=-1)
        )
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5 + bias
        attended = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(rows, positions, width)
        states = states + self.joined(attended) + self.reach(reach)
        changed: Tensor = self.dropout(self.feedforward(self.norm_feedforward(states)))
        return states + changed


class CircRnaNetwork(nn.Module):
    """One transformer: tokens to a logit."""

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), size.embedding, padding_idx=PAD_TOKEN)
        # A convolution over three codons, written as a product: a third faster on a CPU.
        self.codons = nn.Linear(3 * size.embedding, size.channels)
        self.patches = nn.Linear(2 * size.channels, size.width)
        self.gates = nn.Linear(size.channels, size.layers * size.heads)
        nn.init.constant_(self.gates.bias, _OPEN_GATE)
        self.join = nn.Linear(JOIN_KMERS * size.embedding, size.width)
        self.join_gates = nn.Linear(size.width, size.layers * size.heads)
        self.length = nn.Linear(len(_LENGTH_STEPS), size.width)
        self.layers = nn.ModuleList(EncoderLayer(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.frame = nn.Sequential(
            nn.Linear(3 * size.width, size.width),
            nn.GELU(),
            nn.Dropout(size.dropout),
            nn.Linear(size.width, size.width),
            nn.GELU(),
        )
        self.dropout = nn.Dropout(size.dropout)
        self.head = nn.Sequential(
            nn.Linear(3 * size.width, size.width), nn.GELU(), nn.Dropout(size.dropout), nn.Linear(size.width, 1)
        )
        self.frame_targets = nn.Linear(size.width, FRAME_TARGETS)
        self.row_targets = nn.Linear(2 * size.width, FRAME_TARGETS + CODON_TARGETS)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of shape (rows,) of tokens of shape (rows, windows, nucleotides), int64."""
        return self._decide(*self._read(tokens))

    def read_with_targets(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits and, in training only, what the network knows of open frames."""
        frames, front = self._read(tokens)
        joined = torch.cat([frames.mean(dim=1), frames.amax(dim=1)], dim=-1)
        circle, codons = self.row_targets(joined).tensor_split([FRAME_TARGETS], dim=-1)
        return self._decide(frames, front), torch.cat([self.frame_targets(frames), circle[:, None]], dim=1), codons

    def _decide(self, frames: Tensor, front: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.cat([frames.mean(dim=1), frames.amax(dim=1), front], dim=-1)).squeeze(-1)
        return logits

    def _read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return one vector a row and frame, and one for the join and the length."""
        rows, windows, nucleotides = tokens.shape
        patches = nucleotides // PATCH - 1
        body = tokens[:, :, PATCH:]
        is_real = (body.reshape(rows, windows * patches, PATCH)[:, :, 0] != PAD_TOKEN).float()
        letters = (body != PAD_TOKEN).flatten(1).sum(dim=1)
        join = self.embedding(tokens[:, 0, _JOIN_BEGIN : _JOIN_BEGIN + JOIN_KMERS]).flatten(1)
        front = self.dropout(self.join(join) + self._embed_length(letters))
        states, gates = self._embed_patches(body.reshape(rows * windows, patches * PATCH))
        width = states.shape[-1]
        fronts = front[:, None, :].expand(rows, windows, width).reshape(rows * windows, 1, width)
        states = torch.cat([fronts, states.reshape(rows * windows, KMER * patches, width)], dim=1)
        is_masked = 1.0 - is_real.reshape(rows * windows, 1, 1, patches)
        # The last window of several is not joined to the first.
        is_cut = (torch.ones_like(tokens[0, :, 0]).sum() > 1).float()
        joins = functional.softplus(self.join_gates(fronts.squeeze(1))).float() + is_cut * CLOSED
        shift = letters[:, None].expand(rows, windows).reshape(rows * windows) % KMER
        count = len(self.layers)
        for layer, gate, join in zip(self.layers, gates.chunk(count, dim=1), joins.chunk(count, dim=1), strict=True):
            states = layer(states, *close_gates(gate, join, shift, is_masked))
        return self._pool(self.norm(states).reshape(rows, windows, KMER * patches + 1, width), is_real), front

    def _embed_length(self, letters: Tensor) -> Tensor:
        steps = torch.tensor(_LENGTH_STEPS)
        vectors: Tensor = self.length(torch.tanh(2.0 * (torch.log(letters.float()).unsqueeze(1) - steps)))
        return vectors

    def _embed_patches(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors (windows x 3, patches, width) and gates (windows, layers x heads, 3, patches)."""
        windows, nucleotides = tokens.shape
        codons = nucleotides // KMER
        framed = tokens.reshape(windows, codons, KMER).transpose(1, 2).reshape(windows * KMER, codons)
        embedded = functional.pad(self.embedding(framed), (0, 0, 1, 1))
        neighbours = torch.cat([embedded[:, :-2], embedded[:, 1:-1], embedded[:, 2:]], dim=-1)
        is_real = (framed != PAD_TOKEN).float().unsqueeze(-1)
        read = torch.relu(self.codons(neighbours)) * is_real
        gates = functional.softplus(self.gates(read)).float() * is_real
        patches = nucleotides // PATCH
        read = read.reshape(windows * KMER, patches, PATCH // KMER, -1)
        gates = gates.reshape(windows, KMER, patches, PATCH // KMER, -1).sum(dim=3)
        vectors: Tensor = self.patches(torch.cat([read.mean(dim=2), read.amax(dim=2)], dim=-1))
        return vectors, gates.permute(0, 3, 1, 2)

    def _pool(self, states: Tensor, is_real: Tensor) -> Tensor:
        """Join the windows: (rows, windows, 1 + 3 x patches, width) to (rows, frames, width)."""
        rows, windows, positions, width = states.shape
        patches = (positions - 1) // KMER
        front = states[:, :, :1].mean(dim=1).expand(rows, KMER, width)
        read = states[:, :, 1:].reshape(rows, windows, KMER, patches, width)
        read = read.transpose(1, 2).reshape(rows, KMER, windows * patches, width)
        mask = is_real[:, None, :, None]
        mean = (read * mask).sum(dim=2) / mask.sum(dim=2).clamp(min=1.0)
        maximum = (read + (1.0 - mask) * _MASKED).amax(dim=2)
        vectors: Tensor = self.frame(torch.cat([mean, maximum, front], dim=-1))
        return vectors


def close_gates(gates: Tensor, join: Tensor, shift: Tensor, is_masked: Tensor) -> tuple[Tensor, Tensor]:
    """Return the bias of the attention and the reach of its positions; the front is seen from everywhere.

    Who walks round a circle codon by codon comes back in another frame, unless its length is a
    multiple of three, and has read each frame once after three rounds. So the frames are one
    ring, or three; each is as long as its gates, and a look goes the shorter way round.

    Args:
        gates: (rows, heads, 3, patches), zero or more; what a patch takes from every look that crosses it.
        join: (rows, heads), what the join takes.
        shift: (rows,), the length modulo three.
        is_masked: (rows, 1, 1, patches), 1 for padding.
    """
    rows, heads, frames, patches = gates.shape
    number = torch.arange(frames)
    turn = (-number * shift[:, None]) % frames  # after how many rounds a frame is read
    is_before = (turn[:, None, :] < turn[:, :, None]).float()
    whole = gates.sum(dim=-1) + join[:, :, None]
    begin = (whole.unsqueeze(2) * is_before[:, None]).sum(dim=-1)
    passed = torch.cumsum(gates, dim=-1) - 0.5 * gates
    place = (passed + begin.unsqueeze(-1)).flatten(2)
    is_ring = (shift > 0).float()[:, None, None]
    around = is_ring * whole.sum(dim=-1, keepdim=True) + (1.0 - is_ring) * whole
    around = around.unsqueeze(-1).expand(rows, heads, frames, patches).flatten(2)
    frame = number[:, None].expand(frames, patches).flatten()
    is_apart = (frame[:, None] != frame).float() * (1.0 - is_ring.unsqueeze(-1))
    distance = (place.unsqueeze(-1) - place.unsqueeze(-2)).abs()
    distance = torch.minimum(distance, around.unsqueeze(-1) - distance).clamp(min=0.0) + is_apart * CLOSED
    masks = is_masked.expand(rows, 1, frames, patches).reshape(rows, 1, 1, frames * patches) * _MASKED
    bias = masks - distance
    seen = torch.exp(bias).sum(dim=-1).clamp(min=1e-6)
    real = (1.0 - is_masked).sum(dim=-1).clamp(min=1.0)
    reach = torch.cat([torch.log(seen), torch.log(seen / real)], dim=1).transpose(1, 2)
    front = functional.pad(masks, (1, 0)).expand(rows, heads, 1, 1 + frames * patches)
    return torch.cat([front, functional.pad(bias, (1, 0))], dim=2), functional.pad(reach, (0, 0, 1, 0))


class Ensemble(nn.Module):
    """Some networks trained from different seeds; their logits are averaged, then scaled and moved."""

    scale: Tensor
    offset: Tensor

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def calibrate(self, scale: float, offset: float) -> None:
        """Set by how much the average logit is scaled and moved: what training shows is harder than what is asked."""
        self.scale.fill_(scale)
        self.offset.fill_(offset)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return probabilities of a circular RNA, of shape (rows,)."""
        logits = torch.stack([network(tokens) for network in self.networks])
        return torch.sigmoid(self.scale * logits.mean(dim=0) + self.offset)
