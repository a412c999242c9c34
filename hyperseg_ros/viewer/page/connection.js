// The WebSocket to the viewer, which comes back by itself.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 5000;
// The viewer says something every second: after so much silence the connection is dead.
const SILENCE = 5000;
const GOING_AWAY = 1001;

export class Connection {
  // path: of the WebSocket, relative to the page, which may be below a proxy's path
  // handlers: open(), text(message), binary(header, parts), lost(reason or "", milliseconds until the next attempt)
  constructor(path, handlers) {
    this.address = new URL(path, document.baseURI);
    this.address.protocol = this.address.protocol === "https:" ? "wss:" : "ws:";
    this.address.hash = "";
    this.handlers = handlers;
    this.delay = FIRST_DELAY;
    this.isServed = false;
    this.farewell = ""; // what the viewer said as it ended
    addEventListener("online", () => this.retryNow());
    this.connect();
  }

  get isOpen() {
    return this.isServed && this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
    return this.isOpen;
  }

  // A tab that was hidden had its timers slowed down.
  retryNow() {
    if (this.timer) this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = null;
    const socket = new WebSocket(this.address);
    this.socket = socket;
    this.isServed = false;
    socket.binaryType = "arraybuffer";
    this.listen();
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.listen();
      if (!this.isServed) this.handlers.open();
      this.isServed = true;
      this.farewell = "";
      this.delay = FIRST_DELAY;
      if (typeof data === "string") this.handlers.text(JSON.parse(data));
      else this.handlers.binary(...unpack(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (code === GOING_AWAY) this.farewell = reason;
      if (socket === this.socket) this.lose(reason);
    };
  }

  listen() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.lose(""), SILENCE);
  }

  async lose(reason) {
    clearTimeout(this.watchdog);
    const { socket, delay } = this;
    this.socket = null;
    socket?.close();
    const timer = setTimeout(() => this.connect(), delay);
    this.timer = timer;
    this.delay = Math.min(delay * 1.6, LONGEST_DELAY);
    const why = reason || (this.isServed ? "" : await explain()) || this.farewell;
    if (timer === this.timer) this.handlers.lost(why, delay);
  }
}

// Why no WebSocket can be opened, as far as an ordinary request tells, or "".
async function explain() {
  try {
    const response = await fetch("icon.svg", { cache: "no-store" });
    if (!response.ok) return (await response.text()).slice(0, 200).trim();
    return "The viewer answers, but not over a WebSocket: does the proxy pass on the header Upgrade?";
  } catch {
    return "";
  }
}

// A binary message: length of the header (uint32, little-endian), header, the parts it names.
function unpack(data) {
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  let offset = 4 + length;
  const parts = header.parts.map((size) => {
    const part = new Uint8Array(data, offset, size);
    offset += size;
    return part;
  });
  return [header, parts];
}
