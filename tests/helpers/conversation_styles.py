"""Six styles of chat template for conversations, each with the structure of a well-known model's and a tiny tokenizer.

llama3   headers around roles, BOS written by the template and added by the tokenizer to plain text, end of turn that
         is not the end of text
qwen3    ChatML with thoughts: past ones dropped, the last answer gets an empty one
gemma    BOS by the template, the assistant called model, no system role, roles must alternate
mistral  [INST], the system message in the last turn of the user, roles must alternate, EOS after an answer and no
         line break
chatml   any role, no BOS
zephyr   tags for roles, EOS after every turn, a tokenizer without BOS
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.tiny_models import byte_level, save_with

_LLAMA3 = (
    "{% for m in messages %}"
    "{% set part = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set part = bos_token + part %}{% endif %}{{ part }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
_QWEN3 = (
    "{% if messages[0].role == 'system' %}"
    "{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{% endif %}"
    "{% set ns = namespace(last_query=0) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last_query = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}"
    "{% if m.role == 'user' or (m.role == 'system' and not loop.first) %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% elif m.role == 'assistant' %}{% set content = m.content %}{% set thought = '' %}"
    "{% if '</think>' in content %}"
    "{% set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{% if loop.index0 > ns.last_query and (loop.last or thought) %}"
    "{{ '<|im_start|>assistant\n<think>\n' + thought.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}"
    "{% else %}{{ '<|im_start|>assistant\n' + content }}{% endif %}{{ '<|im_end|>\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)
_GEMMA = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
_MISTRAL = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set turns = messages[1:] %}"
    "{% else %}{% set turns = messages %}{% endif %}{{ bos_token }}"
    "{% for m in turns %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('After the optional system message, conversation roles must alternate user/assistant') }}"
    "{% endif %}"
    "{% if m['role'] == 'user' %}"
    "{% if loop.last and system is defined %}{{ '[INST] ' + system + '\n\n' + m['content'] + '[/INST]' }}"
    "{% else %}{{ '[INST] ' + m['content'] + '[/INST]' }}{% endif %}"
    "{% else %}{{ ' ' + m['content'] | trim + eos_token }}{% endif %}{% endfor %}"
)
_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Style:
    """A template with its special tokens.

    Attributes:
        end: the token that ends an answer, by the template.
        eos: the tokenizer's end of text.
        bos: the token that the template writes first.
        system: the template writes system messages.
    """

    template: str
    special: tuple[str, ...]
    end: str
    eos: str
    bos: str | None = None
    system: bool = True


_HEADERS = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
CONVERSATION_STYLES = {
    "llama3": Style(_LLAMA3, _HEADERS, "<|eot_id|>", "<|end_of_text|>", "<|begin_of_text|>"),
    "qwen3": Style(_QWEN3, ("<|im_start|>", "<|im_end|>"), "<|im_end|>", "<|im_end|>"),
    "gemma": Style(
        _GEMMA, ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"), "<end_of_turn>", "<eos>", "<bos>", system=False
    ),
    "mistral": Style(_MISTRAL, ("<s>", "</s>", "[INST]", "[/INST]"), "</s>", "</s>", "<s>"),
    "chatml": Style(_CHATML, ("<|im_start|>", "<|im_end|>"), "<|im_end|>", "<|im_end|>"),
    "zephyr": Style(_ZEPHYR, ("</s>",), "</s>", "</s>"),
}


def style_tokenizer(name: str) -> Any:
    """Return the tokenizer of a style, with its template."""
    style = CONVERSATION_STYLES[name]
    return byte_level(list(style.special), style.eos, style.template, style.bos)


def style_checkpoint(folder: Path, name: str) -> Path:
    """Write a Llama with the tokenizer of a style. Its settings name only the tokenizer's end of text."""
    return save_with(folder, style_tokenizer(name))
