package head

// Abort closes the connection so that the client cannot take what it has for
// the whole: with a reset instead of an orderly end. It is for answers whose
// only end is that of the connection.
func (c *Conn) Abort() error {
	if tcp, ok := c.raw.(interface{ SetLinger(sec int) error }); ok {
		tcp.SetLinger(0)
	}
	c.lingers.Store(false)
	return c.Close()
}
