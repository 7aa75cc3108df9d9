// Package browser has no code but its test: it opens the page that a run leaves in a headless Chromium and uses it as a person
// would. It is a module of its own, so that nobody who imports the framework gets a browser's protocol with it.
package browser
