// What this browser keeps. Without storage (full, or forbidden) everything still works until the page is left.

const inThisTab = () => sessionStorage;

// `fallback` also says of what shape a stored value must be.
function recall(name, fallback, storage = () => localStorage) {
  try {
    const value = JSON.parse(storage().getItem(name));
    const fits = value !== null && typeof value === typeof fallback && Array.isArray(value) === Array.isArray(fallback);
    return fits ? value : fallback;
  } catch {
    return fallback;
  }
}

function remember(name, value, storage = () => localStorage) {
  try {
    storage().setItem(name, JSON.stringify(value));
  } catch {
    // It stays in memory.
  }
}

function forget(name) {
  try {
    localStorage.removeItem(name);
  } catch {
    // Then it was never kept.
  }
}
