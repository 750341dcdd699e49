// Fetching whole clips: they are small, and a clip in memory seeks exactly whether or not the server knows ranges.

// The server was reached and said no; its words are for the reader.
class Refusal extends Error {}

// Resolves to the object URL that the video now shows its first frame of; the caller revokes it.
async function loadVideo(video, address, signal) {
  const response = await fetch(address, { signal });
  if (response.status >= 400 && response.status < 500) throw new Refusal(`there is no clip at ${address}`);
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const blob = await response.blob();
  signal.throwIfAborted();
  const objectUrl = URL.createObjectURL(blob);
  try {
    await new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", resolve, { once: true });
      video.addEventListener("error", () => reject(new Refusal(`cannot play ${address}`)), { once: true });
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      video.src = objectUrl;
    });
  } catch (error) {
    URL.revokeObjectURL(objectUrl);
    throw error;
  }
  return objectUrl;
}
