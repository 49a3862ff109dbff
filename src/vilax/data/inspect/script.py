"""The page's script: what token is under the pointer, or under the arrow keys.

There is no element for each token. A run's element holds the text of its tokens, and the number of
characters of each stands in the data: the place of the pointer in the text tells the token.
"""

JS = r"""
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const tip = document.getElementById('tip');
  const said = document.getElementById('said');
  const runs = new Map();
  const lit = window.Highlight && window.CSS && CSS.highlights ? new Highlight() : null;
  if (lit) CSS.highlights.set('token', lit);
  let marked = null;

  const rowOf = (element) => data.rows[+element.closest('.row').dataset.row];
  const documentAt = (row, at) => row.documents.findIndex((d) => d.start <= at && at < d.end);
  const hasLoss = (row, at) => row.loss.some(([from, to]) => from <= at && at < to);

  // First and last token whose characters hold a place of a run's text.
  function tokensAt(run, place) {
    const row = rowOf(run), first = +run.dataset.at, count = +run.dataset.n;
    let end = 0;
    for (let k = 0; k < count; k++) {
      const width = row.widths[first + k];
      if (place < end + width) {
        let from = k;
        while (from > 0 && row.widths[first + from - 1] === 0) from--;
        return [from, k, end, end + width];
      }
      end += width;
    }
    return null;
  }

  function lines(run, from, to, text) {
    const row = rowOf(run), at = +run.dataset.at + from, last = +run.dataset.at + to;
    const number = documentAt(row, at), owner = row.documents[number];
    const ids = row.tokens.slice(at, last + 1);
    const place = (start) => last > at ? `${at - start} to ${last - start}` : `${at - start}`;
    const what = run.classList.contains('v') ? `${run.dataset.n} visual tokens`
      : `token ${ids.join(' ')}`;
    const loss = hasLoss(row, at) ? 'carries loss' : 'no loss';
    return { text, facts: `${what}, ${loss}`,
      where: `position ${place(owner.start)} in document ${number + 1},`
        + ` ${place(0)} in row ${row.row}` };
  }

  function show(run, from, to, text, box, aloud) {
    const told = lines(run, from, to, text);
    tip.replaceChildren();
    if (told.text) {
      const word = document.createElement('b');
      word.textContent = told.text.replace(/ /g, '\u2423');
      tip.append(word, document.createElement('br'));
    }
    tip.append(told.facts, document.createElement('br'), told.where);
    const use = run.querySelector('use');
    if (use) {
      const file = data.pictures[+use.getAttribute('href').slice(2)];
      tip.append(document.createElement('br'), `${file.kind} ${file.width} x ${file.height},`
        + ` ${(file.bytes / 1000).toFixed(1)} kB`);
      const side = Math.min(data.page.side, 384, innerWidth * .7);
      const picture = use.closest('svg').cloneNode(true);
      picture.style.width = picture.style.height = `${side}px`;
      tip.append(picture);
    }
    tip.hidden = false;
    const high = tip.offsetHeight, wide = tip.offsetWidth;
    const below = box.bottom + 6 + high < innerHeight;
    tip.style.top = `${below ? box.bottom + 6 : Math.max(4, box.top - 6 - high)}px`;
    tip.style.left = `${Math.max(4, Math.min(box.left, innerWidth - wide - 4))}px`;
    const word = told.text && !told.text.trim() ? 'space' : told.text;
    said.textContent = aloud ? `${word} ${told.facts}, ${told.where}` : '';
  }

  function mark(run, range) {
    if (marked) marked.classList.remove('on');
    marked = run;
    run.classList.add('on');
    if (lit) { lit.clear(); if (range) lit.add(range); }
  }

  function hide() {
    tip.hidden = true;
    if (marked) marked.classList.remove('on');
    marked = null;
    if (lit) lit.clear();
  }

  function point(run, place, aloud) {
    if (!run.firstChild || run.firstChild.nodeType !== 3) {
      mark(run, null);
      show(run, 0, +run.dataset.n - 1, '', run.getBoundingClientRect(), aloud);
      return;
    }
    const found = tokensAt(run, place);
    if (!found) return hide();
    const [from, to, begin, end] = found, range = document.createRange();
    range.setStart(run.firstChild, begin);
    range.setEnd(run.firstChild, end);
    mark(run, range);
    const boxes = range.getClientRects();
    // Words of a vocabulary without spaces are set apart for the eye alone.
    const text = data.page.spelling === 'words' ? range.toString().trimStart() : range.toString();
    show(run, from, to, text, boxes[0] || run.getBoundingClientRect(), aloud);
  }

  // The character under a point: the caret may stand on either side of it.
  function placeAt(run, x, y) {
    const node = run.firstChild;
    let place = -1;
    if (document.caretPositionFromPoint) {
      const caret = document.caretPositionFromPoint(x, y);
      if (caret && caret.offsetNode === node) place = caret.offset;
    } else if (document.caretRangeFromPoint) {
      const caret = document.caretRangeFromPoint(x, y);
      if (caret && caret.startContainer === node) place = caret.startOffset;
    }
    for (const at of [place, place - 1]) {
      if (at < 0 || at >= node.length) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      for (const box of range.getClientRects())
        if (box.left <= x && x <= box.right && box.top <= y && y <= box.bottom) return at;
    }
    return Math.max(0, Math.min(place, node.length - 1));
  }

  function follow(event) {
    const run = event.target.closest && event.target.closest('[data-at]');
    if (!run) return hide();
    const isText = run.firstChild && run.firstChild.nodeType === 3;
    point(run, isText ? placeAt(run, event.clientX, event.clientY) : 0, false);
  }
  addEventListener('pointermove', follow, { passive: true });
  addEventListener('pointerdown', follow, { passive: true });
  let scrolled = -Infinity;
  addEventListener('scroll', () => { if (performance.now() - scrolled > 300) hide(); },
    { passive: true });

  // Arrow keys: token by token within the document that has the focus.
  const at = new WeakMap();
  const texts = document.querySelectorAll('.doc .text');
  texts.forEach((text) => text.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === 'Escape') hide();
    if (step === undefined) return;
    event.preventDefault();
    if (!runs.has(text)) {
      const list = [];
      text.querySelectorAll('[data-at]').forEach((run) => {
        const row = rowOf(run), first = +run.dataset.at, count = +run.dataset.n;
        if (!run.firstChild || run.firstChild.nodeType !== 3) { list.push([run, 0]); return; }
        let place = 0;
        for (let k = 0; k < count; k++) {
          const width = row.widths[first + k];
          if (width) list.push([run, place]);
          place += width;
        }
      });
      runs.set(text, list);
    }
    const list = runs.get(text), now = at.has(text) ? at.get(text) : step > 0 ? -1 : list.length;
    const next = Math.max(0, Math.min(list.length - 1, now + step));
    at.set(text, next);
    if (list[next]) {
      const [run, place] = list[next];
      scrolled = performance.now();
      run.scrollIntoView({ block: 'nearest' });
      point(run, place, true);
    }
  }));
  texts.forEach((text) => text.addEventListener('blur', hide));
  document.documentElement.dataset.ready = 'yes';
})();
"""
