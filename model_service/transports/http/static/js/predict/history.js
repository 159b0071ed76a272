// What was predicted and typed in this tab: kept in the tab's own storage, gone when it is closed.

import { readJson, writeJson } from "../json.js";

const MOST = 20;

/** What was typed, for a reload or the way back: the payload, and the texts that are no values. */
export class Draft {
  constructor(qualifiedName, version) {
    this.key = `model_service.form.${qualifiedName}.${version}`;
  }

  load() {
    try {
      return readJson(sessionStorage.getItem(this.key)) ?? undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether it could be kept: it may be too long for the storage, or there is none. */
  save(kept) {
    try {
      sessionStorage.setItem(this.key, writeJson(kept));
      return true;
    } catch {
      return false;
    }
  }
}

export class History {
  constructor(qualifiedName, version) {
    this.key = `model_service.history.${qualifiedName}.${version}`;
  }

  /** Earlier predictions, the newest first. */
  list() {
    try {
      return readJson(sessionStorage.getItem(this.key)) ?? [];
    } catch {
      return [];
    }
  }

  add(entry) {
    const entries = [entry, ...this.list()].slice(0, MOST);
    // Storage is small: long inputs push out the oldest ones.
    while (entries.length > 0) {
      try {
        sessionStorage.setItem(this.key, writeJson(entries));
        return;
      } catch {
        entries.pop();
      }
    }
  }

  clear() {
    try {
      sessionStorage.removeItem(this.key);
    } catch {
      // Nothing is kept where storage is switched off.
    }
  }
}
