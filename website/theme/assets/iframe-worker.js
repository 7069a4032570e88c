// Browsers start no web workers from file:// addresses. There, the search runs in a hidden frame instead. Messages are
// delivered later, in both directions, as those of a worker are.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.append(this.frame)
      const inside = this.frame.contentWindow
      inside.postMessage = (data) => setTimeout(() => this.onmessage?.({ data }))
      this.loaded = new Promise((resolve, reject) => {
        const script = inside.document.createElement("script")
        script.src = url
        script.onload = resolve
        script.onerror = reject
        inside.document.body.append(script)
      })
      this.loaded.catch((error) => this.onerror?.(error))
    }

    postMessage(data) {
      this.loaded.then(() => setTimeout(() => this.frame.contentWindow?.onmessage?.({ data })))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
