/** Runs inside the editor's page: what a person sees of an open dialog, as data. `dialog` is the form's id. */
window.edgeloom = {
  /** Every field of the dialog with the name that a screen reader would say. Node-RED's own widgets count as the field they stand for. */
  fields(dialog) {
    return ownFields(dialog).map((field) => ({ id: idOf(field), name: nameOf(field), visible: isVisible(standIn(field)) }));
  },

  /** The id of the field that has the focus; for a widget of Node-RED, of the field it stands for. */
  focused(dialog) {
    const active = document.activeElement;
    const field = ownFields(dialog).find((one) => standIn(one) === active || standIn(one).contains(active));
    return { id: field ? idOf(field) : '', folded: active?.tagName === 'SUMMARY' && !active.parentElement.open };
  },

  /** Texts of the dialog that are still keys of a catalogue. */
  untranslated(dialog) {
    const form = document.getElementById(dialog);
    const texts = [
      form.textContent,
      ...[...form.querySelectorAll('[placeholder], [title]')].map((e) => `${e.placeholder} ${e.title}`),
    ];
    return texts.flatMap((text) => text.match(/\bedge-[a-z]+\.[a-zA-Z-]+\.[\w.-]+/g) ?? []);
  },

  /** Visible texts that are hard to read: less than `least` between the text's colour and what is behind it (WCAG 2 contrast). */
  hardToRead(dialog, least) {
    const form = document.getElementById(dialog);
    const texts = [...form.querySelectorAll('*')].filter(
      (e) =>
        isVisible(e) && !e.closest(':disabled, .disabled') && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()),
    );
    return texts
      .map((e) => ({ text: e.textContent.trim().slice(0, 60), contrast: contrast(e) }))
      .filter((one) => one.contrast < least);
  },

  /** Put the values of a flow's node into the dialog, as typing and choosing would. References to other nodes are left. */
  fill(dialog, prefix, values) {
    const filled = [];
    for (const [name, value] of Object.entries(values)) {
      const field = document.getElementById(`${prefix}-${name}`);
      if (!field || !document.getElementById(dialog).contains(field)) continue;
      if (field.type === 'checkbox') field.checked = Boolean(value);
      else if ($(field).data('noderedTypedInput')) $(field).typedInput('value', String(value));
      else if (field.tagName !== 'SELECT' || [...field.options].some((option) => option.value === String(value)))
        field.value = value;
      else continue;
      $(field).trigger('input').trigger('change');
      filled.push(name);
    }
    return filled;
  },

  /** Resolves when Node-RED's trays have not moved for twenty pictures of the screen. */
  still() {
    const places = () => [...document.querySelectorAll('.red-ui-tray')].map((e) => e.getBoundingClientRect().left).join();
    return new Promise((resolve) => {
      let last = places();
      let same = 0;
      const look = () => {
        const now = places();
        same = now === last ? same + 1 : 0;
        last = now;
        if (same >= 20) resolve();
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
  },

  node(type) {
    let found = null;
    const look = (node) => {
      if (node.type === type) found = node;
    };
    RED.nodes.eachNode(look);
    RED.nodes.eachConfig(look);
    return found && { id: found.id, name: found.name, valid: found.valid, validationErrors: found.validationErrors ?? [] };
  },

  /** Where a node of this type refers to a config node of that type: the name of the property. */
  reference(type, config) {
    const defaults = RED.nodes.getType(type).defaults;
    return Object.keys(defaults).find((name) => defaults[name].type === config) ?? null;
  },
};

function ownFields(dialog) {
  return [...document.querySelectorAll(`#${dialog} :is(input, select, textarea, button)`)].filter(
    // Node-RED puts hidden inputs into every dialog against browsers' password managers, and builds its widgets of inputs.
    (field) => field.type !== 'hidden' && !field.id.startsWith('red-ui-trap') && !field.closest('.red-ui-typedInput-container'),
  );
}

/** What is seen of the field: Node-RED hides an input behind its TypedInput. */
function standIn(field) {
  const next = field.nextElementSibling;
  const widget = [next, field.previousElementSibling].find((e) => e?.classList.contains('red-ui-typedInput-container'));
  return $(field).data('noderedTypedInput') && widget ? widget : field;
}

/** Buttons of Node-RED's lists have no id of their own. */
function idOf(field) {
  return field.id || `${field.tagName.toLowerCase()} ${field.textContent.trim()}`;
}

function nameOf(field) {
  const labelled = (field.getAttribute('aria-labelledby') ?? '')
    .split(' ')
    .map((id) => document.getElementById(id)?.textContent ?? '');
  const said = [field.getAttribute('aria-label'), ...labelled, ...[...(field.labels ?? [])].map((label) => label.textContent)];
  if (field.tagName === 'BUTTON') said.push(field.textContent, field.title);
  return said.map((text) => (text ?? '').trim()).find((text) => text !== '') ?? '';
}

function isVisible(element) {
  return element.getClientRects().length > 0 && getComputedStyle(element).visibility === 'visible';
}

function contrast(element) {
  const [light, dark] = [luminance(getComputedStyle(element).color), luminance(background(element))].sort((a, b) => b - a);
  return Math.round(((light + 0.05) / (dark + 0.05)) * 10) / 10;
}

function background(element) {
  for (let e = element; e; e = e.parentElement) {
    const { backgroundColor } = getComputedStyle(e);
    if (channels(backgroundColor)[3] > 0.5) return backgroundColor;
  }
  return 'rgb(255, 255, 255)';
}

function channels(colour) {
  const [r = 0, g = 0, b = 0, a = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return [r, g, b, a];
}

function luminance(colour) {
  const [r, g, b] = channels(colour)
    .slice(0, 3)
    .map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
