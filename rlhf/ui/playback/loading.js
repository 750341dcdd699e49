// Getting clips onto the screen. Those of pairs are fetched whole: they are small, and a clip in memory seeks exactly
// whether or not the server knows ranges.

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

// Resolves when the video shows its first frame, long before all of it is here: what is missing is fetched while it
// plays, and a seek fetches the part that it needs. For clips too long to be fetched whole.
async function streamVideo(video, address, signal) {
  await new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", resolve, { once: true });
    video.addEventListener("error", () => reject(new Refusal(`cannot play ${address}`)), { once: true });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    video.preload = "auto";
    video.src = address;
  });
}

// Lets go of the file, so that nothing more of it is fetched.
function unload(video) {
  video.removeAttribute("src");
  video.load();
}
