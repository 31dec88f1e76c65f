package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/config/strict"
)

// strictUsage has every command below c, and c itself, say what is wrong with how it was called: what
// it takes, and what was found. A command that only holds others prints its help.
func strictUsage(c *cobra.Command) {
	if !c.Runnable() {
		c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if c.Args == nil && c.HasSubCommands() {
		c.Args = cobra.NoArgs
	}
	if count := c.Args; count != nil {
		c.Args = func(cmd *cobra.Command, args []string) error { return explainArgs(cmd, args, count(cmd, args)) }
	}
	for _, sub := range c.Commands() {
		strictUsage(sub)
	}
}

// errArguments is an error of a command's own about its arguments, which says enough.
type errArguments string

func (e errArguments) Error() string { return string(e) }

// explainArgs puts the error of cobra about arguments into words that name what the command takes.
func explainArgs(cmd *cobra.Command, args []string, err error) error {
	var own errArguments
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case cmd.HasAvailableSubCommands():
		return unknownCommand(cmd, args[0])
	}
	takes := "takes no arguments"
	if _, names, found := strings.Cut(cmd.Use, " "); found {
		takes = "takes " + names
	}
	found := "none was given"
	if len(args) > 0 {
		found = "found " + strconv.Quote(strings.Join(args, " "))
	}
	return fmt.Errorf("%s %s: %s", cmd.CommandPath(), takes, found)
}

// unknownCommand says that cmd holds no command of this name, and which was probably meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), name)
	if near, found := strict.Nearest(name, names); found {
		text += fmt.Sprintf(": did you mean %q?", near)
	}
	return errors.New(text)
}

// flagError says of a value that is no number what was expected; Go's own words say which function of
// it failed.
func flagError(_ *cobra.Command, err error) error {
	var number *strconv.NumError
	if text, _, found := strings.Cut(err.Error(), ": strconv."); found && errors.As(err, &number) {
		return errors.New(text + ": expected a number")
	}
	return err
}

// help prints the help of the command that args name.
func help(cmd *cobra.Command, args []string) error {
	at := cmd.Root()
	for _, name := range args {
		next, _, err := at.Find([]string{name})
		if err != nil || next == at {
			return unknownCommand(at, name)
		}
		at = next
	}
	return at.Help()
}

// addressFlag says of an address to listen on that it is none.
func addressFlag(flag, text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("--%s: expected host:port such as 127.0.0.1:8080, found %q", flag, text)
	}
	return nil
}
