// Package report says how a campaign stands, for people: what is left and for whom it waits, what failed and why, what
// it cost and what it saved. It is pure: Build reckons a Report from what others read out of the database and the
// forges, and Markdown, JSON, CSV and HTML write it down. BuildDigest and DigestMarkdown do the same for one owner over
// all campaigns.
//
// Every text that comes in may be hostile: a message, a component's name, a pull request's URL. It never becomes
// markup, a formula or a link to anything but a web page. The HTML page is one file that loads nothing, runs nothing
// and says so to the browser.
//
// The same input always gives the same report, byte for byte. Build's memory is linear in the targets and small beside
// its input; what a page shows is bounded however many targets there are, and says what it leaves out.
package report
