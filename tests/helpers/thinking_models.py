"""Checkpoints that think: each always writes one and the same thought and one answer, by weights that are set by hand.

A token's embedding is a unit vector, the layer adds nothing to it, and the output weights lead from each token to the
one that follows. So the text is known beforehand, whatever is asked, and the code that makes it is that of any model.
The templates are of the two kinds that there are: one opens the thought in the prompt, as DeepSeek-R1's does, the other
leaves that to the model and knows `enable_thinking`, as Qwen 3's does.
"""

from itertools import pairwise
from pathlib import Path

CERTAIN = 60.0
"""The logit of the token that follows, over all others: no sampling ever leaves the path."""
HEAD = 32
"""Of the attention, which adds nothing: the smallest that vLLM knows."""

_TURNS = (
    "{% for m in messages %}"
    "{% set said = m['content'].split('</think>')[-1] if m['role'] == 'assistant' else m['content'] %}"
)
OPENED = (
    _TURNS + "<|im_start|>{{ m['role'] }}\n{{ said }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
"""The prompt ends inside of a thought, and a conversation shows none."""
ITS_OWN = (
    _TURNS
    + "<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ said.lstrip('\n') }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""The model opens its thought by itself; a conversation's last answer has an empty one."""

TEMPLATES = {"opened": OPENED, "its own": ITS_OWN}
THOUGHT = "First look.\nScore: 2\nRating: [[2]]\n"


def thinking_checkpoint(
    folder: Path, template: str, answer: str, thought: str = THOUGHT, *, closes: bool = True
) -> Path:
    """Write a checkpoint that thinks `thought` and then answers `answer`, and return its folder.

    Args:
        folder: where.
        template: one of `TEMPLATES`.
        answer: what it says; empty where it only thinks.
        thought: what it thinks before.
        closes: whether its thought comes to an end; else it thinks on and on.
    """
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.add_special_tokens(["<pad>", "<|im_start|>", "<|im_end|>"])
    words = ["<think>", "</think>", "\n\n", thought, *([answer] if answer and len(answer) > 1 else [])]
    bpe.add_tokens([AddedToken(word, normalized=False) for word in words])
    chat = PreTrainedTokenizerFast(
        tokenizer_object=bpe, chat_template=TEMPLATES[template], eos_token="<|im_end|>", pad_token="<pad>"
    )
    ids = {word: bpe.token_to_id(word) for word in ("<think>", "</think>", "\n\n", thought, "<|im_end|>")}
    newline = bpe.encode("\n").ids[0]
    says = bpe.encode(answer).ids if answer else []
    begins = [newline, ids[thought]] if template == "opened" else [newline, ids["<think>"], ids[thought]]
    path = [*begins, *([ids["</think>"], ids["\n\n"], *says, ids["<|im_end|>"]] if closes else [ids[thought]])]

    size = -(-len(bpe.get_vocab()) // HEAD) * HEAD
    config = LlamaConfig(
        vocab_size=size, hidden_size=size, intermediate_size=HEAD, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, head_dim=HEAD, max_position_embeddings=16384, tie_word_embeddings=False,
        pad_token_id=chat.pad_token_id, eos_token_id=chat.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for token, after in pairwise(path):
            model.lm_head.weight[after, token] = CERTAIN / size**0.5  # the last norm makes `size ** 0.5` of a unit
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    chat.save_pretrained(folder)
    return folder
