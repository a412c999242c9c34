// The WebSocket to the viewer, which comes back by itself.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 5000;
// The viewer says something every second: after so much silence the connection is dead.
const SILENCE = 5000;

export class Connection {
  // handlers: open(), text(message), binary(header, parts), lost(milliseconds until the next attempt)
  constructor(address, handlers) {
    this.address = address;
    this.handlers = handlers;
    this.delay = FIRST_DELAY;
    addEventListener("online", () => this.retryNow());
    this.connect();
  }

  get isOpen() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
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
    socket.binaryType = "arraybuffer";
    this.listen();
    socket.onopen = () => {
      if (socket === this.socket) this.handlers.open();
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.listen();
      this.delay = FIRST_DELAY;
      if (typeof data === "string") this.handlers.text(JSON.parse(data));
      else this.handlers.binary(...unpack(data));
    };
    socket.onclose = () => {
      if (socket === this.socket) this.lose();
    };
  }

  listen() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.lose(), SILENCE);
  }

  lose() {
    clearTimeout(this.watchdog);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.handlers.lost(this.delay);
    this.timer = setTimeout(() => this.connect(), this.delay);
    this.delay = Math.min(this.delay * 1.6, LONGEST_DELAY);
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
