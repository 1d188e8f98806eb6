package samtemplate_test

import (
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	const text = `# an application
AWSTemplateFormatVersion: 2010-09-09
Conditions: {IsProd: !Equals [!Ref Stage, prod], Other: !Not [!Condition IsProd]}
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties: &shared
      Timeout: 1.50 # seconds
      Account: 012345678901
      On: TRUE
      Off: no
      Nothing:
      Text: |
        <two>
        lines
      Role: !GetAtt Role.Arn
      Nested: !GetAtt Child.Outputs.Arn
      Name: !Sub '${Stage}-fn'
      Value: !Select [0, !Split [',', !ImportValue list]]
  Again:
    Properties: {<<: *shared, Timeout: 0x10, On: !If [IsProd, yes, !Ref AWS::NoValue]}
`
	const want = `{
    "AWSTemplateFormatVersion": "2010-09-09",
    "Conditions": {
        "IsProd": {
            "Fn::Equals": [
                {
                    "Ref": "Stage"
                },
                "prod"
            ]
        },
        "Other": {
            "Fn::Not": [
                {
                    "Condition": "IsProd"
                }
            ]
        }
    },
    "Resources": {
        "Fn": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "Timeout": 1.50,
                "Account": "012345678901",
                "On": true,
                "Off": "no",
                "Nothing": null,
                "Text": "<two>\nlines\n",
                "Role": {
                    "Fn::GetAtt": [
                        "Role",
                        "Arn"
                    ]
                },
                "Nested": {
                    "Fn::GetAtt": [
                        "Child",
                        "Outputs.Arn"
                    ]
                },
                "Name": {
                    "Fn::Sub": "${Stage}-fn"
                },
                "Value": {
                    "Fn::Select": [
                        0,
                        {
                            "Fn::Split": [
                                ",",
                                {
                                    "Fn::ImportValue": "list"
                                }
                            ]
                        }
                    ]
                }
            }
        },
        "Again": {
            "Properties": {
                "Timeout": "0x10",
                "On": {
                    "Fn::If": [
                        "IsProd",
                        "yes",
                        {
                            "Ref": "AWS::NoValue"
                        }
                    ]
                },
                "Account": "012345678901",
                "Off": "no",
                "Nothing": null,
                "Text": "<two>\nlines\n",
                "Role": {
                    "Fn::GetAtt": [
                        "Role",
                        "Arn"
                    ]
                },
                "Nested": {
                    "Fn::GetAtt": [
                        "Child",
                        "Outputs.Arn"
                    ]
                },
                "Name": {
                    "Fn::Sub": "${Stage}-fn"
                },
                "Value": {
                    "Fn::Select": [
                        0,
                        {
                            "Fn::Split": [
                                ",",
                                {
                                    "Fn::ImportValue": "list"
                                }
                            ]
                        }
                    ]
                }
            }
        }
    }
}
`
	got, err := samtemplate.JSON("template.yaml", []byte(text))
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	again, err := samtemplate.JSON("template.json", got)
	if err != nil || string(again) != want {
		t.Errorf("JSON is not returned as it is: %v\n%s", err, again)
	}
}
