package topic

import "aclgate/policy"

// Publish judges a PUBLISH of the client (SPEC 16.4.5): Permitted, or why it is dropped. cid is that
// of its user property, 0 without one. Retained messages, and empty ones that delete a retained one,
// are judged alike.
func (j *Judge) Publish(topic []byte, cid int64) policy.Reason {
	if reason := j.begin(topic, 0); reason != policy.NotJudged {
		return reason
	}
	switch {
	case !ownTopic(j.levels):
		return closedReason(j.levels)
	case cid == 0 || cid == j.Token.CID:
	case j.permit.law.Namespace != ByPath || !j.Tree.Contains(j.Token.CID, cid):
		return policy.ForeignAccount // where the broker knows accounts, a message is of the sender's own
	}
	return j.own(policy.Publish)
}

// Response judges the response topic of a PUBLISH or a will. Whoever answers may have more rights
// than who asked, so it has to be an own topic that the sender may subscribe to.
func (j *Judge) Response(topic []byte) policy.Reason {
	reason := j.begin(topic, 0)
	switch {
	case reason != policy.NotJudged:
		return reason
	case !ownTopic(j.levels) || j.own(policy.Subscribe) != policy.Permitted:
		return policy.ResponseTopic
	}
	return policy.Permitted
}

// Will judges the will of a CONNECT as the publish that it is. response is nil without a response
// topic.
func (j *Judge) Will(topic, response []byte, cid int64) policy.Reason {
	reason := j.Publish(topic, cid)
	if reason == policy.Permitted && response != nil {
		reason = j.Response(response)
	}
	if reason == policy.Permitted || reason == policy.TopicSyntax {
		return reason
	}
	return policy.WillDenied
}
