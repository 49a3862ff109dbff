"""What is on the page."""

from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from vilax.chat.settings import HOTTEST, Settings
from vilax.chat.talk import Talk
from vilax.chat.web.actions import Actions
from vilax.chat.web.history import example_html
from vilax.chat.web.prints import Prints
from vilax.config.schema.data import Template
from vilax.evaluation.subject import Subject

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""No veil over what waits, no entry in gradio's list of calls."""

CHANGES = QUIET | {"concurrency_id": "talk", "concurrency_limit": 1}
"""What changes a conversation waits for the answer that is being made."""


def chat_page(
    subject: Subject, template: Template, settings: Settings, title: str, folder: Path
) -> tuple[gr.Blocks, Actions]:
    """The page, and what can be done on it.

    Args:
        subject: the model.
        template: name of its conversation template.
        settings: values that the page begins with.
        title: what the model is called.
        folder: where pictures that are shown are kept.
    """
    prints = Prints(folder)
    actions = Actions(subject, template, prints)
    sees = subject.features is not None
    context = "" if subject.context is None else f", context {subject.context:,} tokens"
    with gr.Blocks(title=f"vilax chat: {title}", analytics_enabled=False, fill_width=True) as page:
        talk, version = gr.State(None), gr.State(0)
        gr.Markdown(f"# vilax chat\n{title}, template {template}{context}")
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                history = gr.Chatbot(
                    label="Conversation",
                    height="55vh",
                    min_height=260,
                    buttons=[],
                    allow_file_downloads=False,
                    render_markdown=False,
                    placeholder="Nothing asked yet",
                    elem_id="history",
                )
                wrong = gr.HTML(visible=False, elem_id="problem")
                question = gr.MultimodalTextbox(
                    label="Question",
                    placeholder="Ask; Enter sends, Shift+Enter breaks the line",
                    file_types=["image"],
                    file_count="multiple",
                    sources=["upload"] if sees else [],
                    submit_btn="Ask",
                    autofocus=True,
                    elem_id="question",
                )
                with gr.Row():
                    clear = gr.Button("Clear conversation", elem_id="clear", size="md")
                    clear_all = gr.Button(
                        "Clear conversation and examples", elem_id="clear-all", size="md"
                    )
            with gr.Column(scale=2, min_width=320, elem_id="side"):
                with gr.Accordion("Examples before the conversation", open=True):
                    _examples(actions, prints, talk, version)
                    shot = gr.MultimodalTextbox(
                        label="Question of a new example",
                        placeholder="What the example asks",
                        file_types=["image"],
                        file_count="multiple",
                        sources=["upload"] if sees else [],
                        submit_btn=False,
                        elem_id="shot",
                    )
                    shot_answer = gr.Textbox(label="Its answer", max_lines=4, elem_id="shot-answer")
                    add = gr.Button("Add example", elem_id="add", size="md")
                with gr.Accordion("Settings", open=True):
                    most = gr.Number(
                        settings.max_new_tokens,
                        label="Max new tokens",
                        precision=0,
                        minimum=1,
                        elem_id="most",
                    )
                    heat = gr.Slider(
                        0,
                        HOTTEST,
                        settings.temperature,
                        step=0.05,
                        label="Temperature",
                        info="0 is greedy: the same conversation gives the same answer",
                        elem_id="temperature",
                    )
                    seed = gr.Number(
                        settings.seed,
                        label="Seed",
                        info="of the draws, at a temperature above 0",
                        precision=0,
                        minimum=0,
                        elem_id="seed",
                    )
                prompt = gr.Textbox(
                    label="What the model saw",
                    lines=6,
                    max_lines=20,
                    interactive=False,
                    buttons=["copy"],
                    placeholder="The whole prompt of the last question, token for token",
                    elem_id="prompt",
                )
        page.load(actions.begin, None, [talk, version], **QUIET)
        asked = [talk, question, most, heat, seed]
        question.submit(actions.ask, asked, [history, question, prompt, wrong], **CHANGES)
        question.stop(actions.stop, talk, None, queue=False, **QUIET)
        for event in (clear.click, clear_all.click, history.clear):
            event(actions.stop, talk, None, queue=False, **QUIET)
        emptied = [history, prompt, wrong]
        for event in (clear.click, history.clear):
            event(actions.clear, talk, emptied, **CHANGES)
        clear_all.click(actions.clear_all, [talk, version], [*emptied, version], **CHANGES)
        made = [talk, version, shot, shot_answer]
        for event in (add.click, shot_answer.submit):
            event(actions.add, made, [version, shot, shot_answer, wrong], **CHANGES)
    return page, actions


def _examples(actions: Actions, prints: Prints, talk: gr.State, version: gr.State) -> None:
    """The examples as they are, each with what can be done to it."""

    def listed(now: Talk) -> None:
        if not now.shots:
            gr.Markdown("None yet: the model is asked without examples.")
        last = len(now.shots) - 1
        for number, one in enumerate(now.shots):
            with gr.Group(elem_classes="shot"):
                gr.HTML(example_html(number + 1, one, prints), padding=True)
                with gr.Row():
                    small: dict[str, Any] = {"size": "sm", "min_width": 80}
                    up = gr.Button("Move up", interactive=number > 0, **small)
                    down = gr.Button("Move down", interactive=number < last, **small)
                    gone = gr.Button("Remove", **small)
                before = partial(actions.move, number=number, by=-1)
                behind = partial(actions.move, number=number, by=1)
                without = partial(actions.remove, number=number)
                for button, change in ((up, before), (down, behind), (gone, without)):
                    button.click(change, [talk, version], version, **CHANGES)

    gr.render(inputs=[talk], triggers=[version.change], show_progress="hidden")(listed)
