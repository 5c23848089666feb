"""What is mended in Gradio's scripts: functions that are slow on a page as large as this one, and
those that tell of what was not done or of it out of its order (``ui/patched.py`` serves them)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.text import ASSETS


@dataclass(frozen=True)
class Mend:
    """What stands in place of a piece of a script.

    Args:
        script: How the script's name begins.
        slow: The piece of Gradio 6.31's, as it is built.
        quick: What is served instead; it does the same.
    """

    script: str
    slow: bytes
    quick: bytes


def _of(*names: str) -> bytes:
    return b"".join((ASSETS / "js" / "gradio" / f"{name}.js").read_bytes() for name in names)


HELPERS = {
    "core-": _of("attached_events", "find_component", "render_ahead"),
    "index-": _of("answers_in_order"),
    "HTML-": _of("plain_templates"),
}
"""Functions of ours that mended ones call, at the end of their script."""

DROPDOWN = "Index-DAYzeNnX"
"""There are many scripts of the name ``Index``."""
HTML = "HTML-"

_FIRST_VISIT = (
    b"async render_previously_invisible_children(e){let t=Z(this.root,e);if(!t)return;let n=[];"
    b"if(K(t,this.#d,n,!0),n.length!==0){q(t,this.#r.api_url),await C(),await x(),"
    b"await new Promise(e=>requestAnimationFrame(e));for(let e of n)this.#p(e)}}"
)
_READY = (
    b"r.js&&Le(r.js).catch(e=>{console.error(`Error executing custom JS:`,e)}),"
    b"_(!0),$e(X),he().then(ft),"
)

MENDS: Sequence[Mend] = (
    # find_node_by_id: went through the whole page for each input and target of each event.
    Mend(
        "core-",
        b"function Z(e,t){if(e.id===t)return e;if(e.children)for(let n of e.children)"
        b"{let e=Z(n,t);if(e)return e}return null}",
        b"",
    ),
    # open_stream: handed an answer to an event on before those that had come before it.
    Mend(
        "index-",
        b"s.onmessage=async function(a){let s=JSON.parse(a.data);if(s.msg===`close_stream`)"
        b"{wt(r,o.abort_controller);return}let c=s.event_id;",
        b"s.onmessage=async function(a){let s=JSON.parse(a.data);if(s.msg===`close_stream`)"
        b"{wt(r,o.abort_controller);openAgain(o,r,t);return}await inOrder(o,e,s);"
        b"let c=s.event_id;",
    ),
    # Dropdown: told of a choice when it was made and whenever the field was left, chosen or not.
    # Who went through the form by keys chose the same preset again, which fills the form.
    Mend(
        DROPDOWN,
        b"function Se(e){if(D(H,parseInt(e),!0)",
        b"let told;function Se(e){if(D(H,parseInt(e),!0)",
    ),
    Mend(DROPDOWN, b"_(n),o.on_select?.(", b"_(n),told=n,o.on_select?.("),
    Mend(DROPDOWN, b"function Ce(e){D(pe,!0),", b"function Ce(e){told=_(),D(pe,!0),"),
    Mend(
        DROPDOWN,
        b"D(pe,!1),o.on_blur?.(),o.on_input?.()}",
        b"D(pe,!1),o.on_blur?.(),_()!==told&&o.on_input?.()}",
    ),
    # DropdownOptions: looked for the words of a choice that had gone, and drew nothing from then.
    Mend(
        DROPDOWN,
        b"O(s,`aria-label`,t.choices[g(n)][0])",
        b"O(s,`aria-label`,t.choices[g(n)]?.[0])",
    ),
    Mend(DROPDOWN, b"` ${t.choices[g(n)][0]??``}`", b"` ${t.choices[g(n)]?.[0]??``}`"),
    # find_attached_events: went through all targets of all events for each component.
    Mend(
        "core-",
        b"find_attached_events(e,t){let n=t.filter(t=>t.targets.find(([t])=>t===e.id))"
        b".map(t=>{let n=t.targets.find(([t])=>t===e.id);return n?n[1]:null}).filter(Boolean);",
        b"find_attached_events(e,t){let n=attachedEvents(t,e.id);",
    ),
    # update_state: read all values of a component and of what is in it before it told it how an
    # event is getting on.
    Mend(
        "core-",
        b"r&&!(`value`in t)&&(await this.#m(e,r),await this.#h(r))",
        b"r&&!(`value`in t)&&!(`loading_status`in t)&&(await this.#m(e,r),await this.#h(r))",
    ),
    # update_state: went through the whole page for a component that is not in it yet.
    Mend(
        "core-",
        b"n&&`visible`in t&&(n.props.shared_props.visible=t.visible),q(this.root,",
        b"n&&`visible`in t&&(n.props.shared_props.visible=t.visible),q(n??this.root,",
    ),
    # get_data: copied all that each input of an event has, choices and words too, for its value.
    Mend(
        "src-",
        b"async get_data(){return c(this.props)}",
        b"async get_data(e){if(!e)return c(this.props);"
        b"let t={};for(let n of e)n in this.props&&(t[n]=c(this.props[n]));return t}",
    ),
    Mend(
        "core-",
        b"async get_state(e){let t=this.#s.get(e),n=Z(this.root,e);"
        b"return!t&&!n?null:t?await t():n?",
        b"async get_state(e,r){let t=this.#s.get(e),n=Z(this.root,e);"
        b"return!t&&!n?null:t?await t(r):n?",
    ),
    Mend(
        "core-",
        b"let r=await n();if(!r)return;let i={};for(let e of Te)",
        b"let r=await n(Te);if(!r)return;let i={};for(let e of Te)",
    ),
    Mend(
        "Blocks-",
        b"async gather_state(e,t=[]){return(await Promise.all(e.map("
        b"e=>this.get_state_cb(e)))).map(",
        b"async gather_state(e,t=[]){return(await Promise.all(e.map((e,n)=>"
        b"this.get_state_cb(e,t.includes(n)?void 0:[`value`])))).map(",
    ),
    # AppTree: watched the tree for changes while it was being made.
    Mend(
        "core-",
        b"this.#u=o,this.root=this.create_node({id:t.id,children:[]},new Map,!0);"
        b"for(let t of e)t.props.visible!=0&&this.components_to_register.add(t.id);this.client=i,",
        b"this.#u=o;let whole=this.create_node({id:t.id,children:[]},new Map,!0);"
        b"for(let t of e)t.props.visible!=0&&this.components_to_register.add(t.id);this.client=i,",
    ),
    Mend(
        "core-",
        b"this.root.children=this.#t.children.map(e=>this.traverse(e,e=>"
        b"this.create_node(e,c,!1,this.reactive_formatter))),"
        b"this.component_ids=e.map(e=>e.id),this.initial_tabs={},X(this.root,this.initial_tabs),"
        b"this.postprocess(this.root),",
        b"this.making=!0,whole.children=this.#t.children.map(e=>this.traverse(e,e=>"
        b"this.create_node(e,c,!1,this.reactive_formatter))),this.making=!1,"
        b"this.component_ids=e.map(e=>e.id),this.initial_tabs={},X(whole,this.initial_tabs),"
        b"this.postprocess(whole),",
    ),
    # AppTree: fetched all components' scripts before it knew which of them are in closed tabs.
    Mend(
        "core-",
        b"s=a.shared_props.visible===!1?null:G(i.type,",
        b"s=a.shared_props.visible===!1||this.making?null:G(i.type,",
    ),
    Mend(
        "core-",
        b"this.root=this.traverse(e,[e=>je(e,this.#r.api_url),e=>Me(",
        b"this.root=this.traverse(e,[e=>Me(",
    ),
    Mend(
        "core-",
        b"e=>Ne(e,this.components_to_register,this.#d)])}",
        b"e=>Ne(e,this.components_to_register,this.#d),"
        b"e=>{if(e.props.shared_props.visible&&!e.component){"
        b"let t=G(e.type,e.component_class_id,this.#r.api_url||``);"
        b"e.component=t.component,e.runtime=t.runtime}return e}])}",
    ),
    # AppTree: rendered what a tab holds when it was opened for the first time.
    Mend(
        "core-",
        _FIRST_VISIT,
        b"render_ahead(){return renderAhead({root:this.root,hidden:this.#d,"
        b"load:e=>q(e,this.#r.api_url),settled:async()=>{await C(),await x()},"
        b"tell:e=>this.#p(e)})}" + _FIRST_VISIT,
    ),
    Mend(
        "Blocks-",
        b"return O.ready.then(()=>{" + _READY + b"R.dispatch_load_events()}),",
        b"return O.ready.then(()=>{" + _READY + b"R.dispatch_load_events(),O.render_ahead?.()}),",
    ),
    # Blocks: built the page anew as soon as it was there.
    Mend(
        "Blocks-",
        b"le(()=>{v(),oe(()=>{O.reload(",
        b"let builtJustNow=!0;le(()=>{v(),builtJustNow?builtJustNow=!1:oe(()=>{O.reload(",
    ),
    # set_event_args: copied all that a target has before it looked whether anything is to be set.
    Mend(
        "Blocks-",
        b"async set_event_args(e,t){let n={},r=await this.get_state_cb?.(e);",
        b"async set_event_args(e,t){if(!Object.keys(t).length)return()=>{};"
        b"let n={},r=await this.get_state_cb?.(e);",
    ),
    # update_loading_status: told each output how each event is getting on, also where nothing of it
    # is to be seen.
    Mend(
        "Blocks-",
        b"update_loading_status(e){this.loading_stati.update(e),",
        b"update_loading_status(e){"
        b"if(this.loading_stati.show_progress[e.fn_index]===`hidden`)return;"
        b"this.loading_stati.update(e),",
    ),
    # HTML: compiled each template as two languages at each drawing, also what is in neither.
    Mend(HTML, b",ve=s(E(((e,t)=>{", b",ve=()=>s(E(((e,t)=>{"),
    Mend(
        HTML,
        b"let r=ve.default.compile(e)(t),i=Object.keys(t),",
        b"let r=e.includes(`{{`)?ve().default.compile(e)(t):e,plain=saidPlainly(r,t);"
        b"if(plain!==null)return n===`html`?w(Z,null):n===`css`&&w(Q,null),plain;"
        b"let i=Object.keys(t),",
    ),
    # HTML: added a style sheet to the page for each component that has no styles.
    Mend(
        HTML,
        b"function Ce(){typeof document>`u`||(W||(",
        b"function Ce(){typeof document>`u`||!W&&!re()||(W||(",
    ),
    # StatusTracker, of which each component has one: watched for how an event gets on before any
    # had begun, where none is ever shown.
    Mend(
        "statustracker-",
        b"function Y(i,o){a(o,!0);let s=j(o,`eta`,3,null),",
        b"function Y(i,o){let e=S();_(E(e),n=>{(o.status||o.validation_error)"
        b"&&n(e=>tracked(e,o))}),c(i,e)}"
        b"function tracked(i,o){a(o,!0);let s=j(o,`eta`,3,null),",
    ),
)
