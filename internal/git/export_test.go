package git

// RemoveAll is open to the tests.
var RemoveAll = removeAll

// Dir is the folder of mirrors.
func (s *Store) Dir() string { return s.cfg.Dir }
