package git

// RemoveAll is open to the tests.
var RemoveAll = removeAll
