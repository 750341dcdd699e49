// The socket to the server: words as JSON both ways, pictures as bytes with two numbers in front.

class Line {
  constructor(address, { onWord, onPicture, onClose }) {
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") return onWord(JSON.parse(data));
      const head = new DataView(data, 0, 8);
      onPicture(head.getUint32(0), head.getUint32(4), new Blob([new Uint8Array(data, 8)], { type: "image/jpeg" }));
    });
    this.socket.addEventListener("close", () => onClose());
  }

  say(type, more = {}) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, ...more }));
  }

  close() {
    this.socket.close();
  }
}
