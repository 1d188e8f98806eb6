package samtemplate

import "strings"

// pseudoParameters are the names that CloudFormation defines:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
func pseudoParameters() []string {
	return []string{
		"AWS::AccountId", "AWS::NotificationARNs", noValue, "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
	}
}

// pseudoValues returns the pseudo parameters that are known. The account and the names of the stack
// are not, unless they are given: SAM takes made-up ones for them, which would end up in images.
func pseudoValues(opt Options) map[string]Text {
	region := opt.Region
	if region == "" {
		region = "us-east-1"
	}
	if given := opt.Parameters["AWS::Region"]; given != "" {
		region = given
	}
	partition, suffix := "aws", "amazonaws.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition, suffix = "aws-cn", "amazonaws.com.cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	values := map[string]Text{
		"AWS::Region":    {plain: region},
		"AWS::Partition": {plain: partition},
		"AWS::URLSuffix": {plain: suffix},
	}
	for _, name := range pseudoParameters() {
		if given, ok := opt.Parameters[name]; ok && name != noValue {
			values[name] = Text{plain: given}
		}
	}
	return values
}
