// What was predicted and typed in this tab: kept in the tab's own storage, gone when it is closed.

const MOST = 20;

/** What was typed and not sent yet, for a reload or the way back. */
export class Draft {
  constructor(qualifiedName, version) {
    this.key = `model_service.draft.${qualifiedName}.${version}`;
  }

  load() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key)) ?? undefined;
    } catch {
      return undefined;
    }
  }

  save(payload) {
    try {
      sessionStorage.setItem(this.key, JSON.stringify(payload));
    } catch {
      // Too long for the storage, or there is none.
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
      return JSON.parse(sessionStorage.getItem(this.key)) ?? [];
    } catch {
      return [];
    }
  }

  add(entry) {
    const entries = [entry, ...this.list()].slice(0, MOST);
    // Storage is small: long inputs push out the oldest ones.
    while (entries.length > 0) {
      try {
        sessionStorage.setItem(this.key, JSON.stringify(entries));
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
