package samtemplate_test

import (
	"strings"
	"testing"
)

// intrinsics is a template whose function has a value as a build argument.
const intrinsics = `
Parameters:
  Stage: {Type: String, Default: dev}
  Count: {Type: Number, Default: 010}
  List: {Type: CommaDelimitedList, Default: "a, b,c"}
  Empty: {Type: String}
  Token: {Type: String, NoEcho: true, Default: canary-8d1f}
  Stored: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /name}
Mappings:
  Sizes: {dev: {memory: 256, list: [x, y]}}
Conditions:
  IsDev: !Equals [!Ref Stage, dev]
  IsProd: {Fn::Equals: [{Ref: Stage}, prod]}
  Both: !And [!Condition IsDev, {Condition: IsProd}]
  Either: !Or [!Condition Unknown, !Condition IsDev]
  Neither: !Not [!Condition Either]
  Unknown: !Equals [!Ref Empty, x]
  Self: !Not [!Condition Self]
  Wrong: !Ref Stage
  Short: !Equals [a]
  Unsure: !And [!Condition IsDev, !Condition Unknown]
Resources:
  Table: {Type: 'AWS::DynamoDB::Table'}
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      Environment: {Variables: {VALUE: VALUE}}
    Metadata: {Dockerfile: Dockerfile, DockerContext: .}
`

// TestIntrinsicFunctions: an expression has a value, or a reason why it has none yet.
func TestIntrinsicFunctions(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"text":                           "text",
		"1.10":                           "1.10",
		"'{{resolve:ssm:/name}}'":        "unknown: a dynamic reference",
		"[a]":                            "unknown: expected a string, found a list",
		"{a: b}":                         "unknown: expected a string, found a mapping",
		"!Ref Stage":                     "dev",
		"{Ref: Stage}":                   "dev",
		"!Ref Count":                     "010",
		"!Ref List":                      "unknown: expected a string, found a list",
		"!Ref Empty":                     "unknown: the parameter Empty has no value: give it a Default, or --parameter-overrides Empty=…",
		"!Ref Stored":                    "unknown: the parameter Stored is read from the parameter store",
		"!Ref Stge":                      `unknown: there is no parameter or resource "Stge": did you mean "Stage"?`,
		"!Ref Table":                     "unknown: Table is a resource",
		"!Ref [Stage]":                   "unknown: Ref takes the name",
		"!Ref AWS::NoValue":              "nothing",
		"!Ref AWS::Region":               "us-east-1",
		"!Ref AWS::AccountId":            "unknown: AWS::AccountId is not known before the stack is deployed: give it with --parameter-overrides AWS::AccountId=…",
		"!Sub '${AWS::URLSuffix}'":       "amazonaws.com",
		"!Sub '${Stage}-${!Stage}-$x${'": "dev-${Stage}-$x${",
		"!Sub ['${A}.${Stage}', {A: !Ref Stage}]":             "dev.dev",
		"!Sub ['${A}', {A: !Ref Empty}]":                      "unknown: the parameter Empty has no value",
		"!Sub '${List}'":                                      "a,b,c",
		"!Sub '${Table.Arn}'":                                 "unknown: Table.Arn is an attribute of a resource",
		"!Sub '${Token}-x'":                                   "****",
		"{'Fn::Sub': '${Stage}'}":                             "dev",
		"!Sub [a]":                                            "unknown: Fn::Sub takes a list of 2 arguments",
		"!Join ['-', [a, !Ref Stage]]":                        "a-dev",
		"!Join [',', !Ref List]":                              "a,b,c",
		"!Join ['', [a, !Ref Token]]":                         "****",
		"!Join ['', [a, !Ref 'AWS::NoValue', b]]":             "ab",
		"!Join ['', [a, !GetAtt Table.Arn]]":                  "unknown: Fn::GetAtt is not known before the stack is deployed",
		"!Join [',']":                                         "unknown: Fn::Join takes a list of 2 arguments",
		"!Select [1, !Ref List]":                              "b",
		"!Select ['2', [a, b, c]]":                            "c",
		"!Select [3, !Ref List]":                              "unknown: Fn::Select asks for entry 3, and the list has 3",
		"!Select [x, !Ref List]":                              "unknown: the index of Fn::Select is not a whole number",
		"!Select [0, !Split ['.', a.b]]":                      "a",
		"!Select [0, !Split ['-', !Ref Token]]":               "****",
		"!Select [1, !GetAZs '']":                             "us-east-1b",
		"!Select [0, !GetAZs {Ref: 'AWS::Region'}]":           "us-east-1a",
		"!FindInMap [Sizes, !Ref Stage, memory]":              "256",
		"!Select [0, !FindInMap [Sizes, dev, list]]":          "x",
		"!FindInMap [Sizes, prod, memory]":                    "unknown: Fn::FindInMap: the mapping has no value for these keys",
		"!FindInMap [Sises, dev, memory]":                     "unknown: Fn::FindInMap: there is no mapping",
		"!FindInMap [Sizes, prod, memory, {DefaultValue: 1}]": "1",
		"!If [IsDev, a, b]":                                   "a",
		"!If [IsProd, a, !If [Both, c, d]]":                   "d",
		"!If [Either, a, b]":                                  "a",
		"!If [Neither, a, b]":                                 "b",
		"!If [IsProd, a, !Ref 'AWS::NoValue']":                "nothing",
		"!If [Unknown, a, b]":                                 "unknown: the parameter Empty has no value",
		"!If [Self, a, b]":                                    `unknown: the condition "Self" depends on itself`,
		"!If [IsDv, a, b]":                                    `unknown: there is no condition "IsDv": did you mean "IsDev"?`,
		"!Base64 a":                                           "YQ==",
		"{'Fn::Base64': !Sub '${Token}'}":                     "****",
		"{'Fn::Length': !Ref List}":                           "3",
		"!Base64 {Ref: Empty}":                                "unknown: the parameter Empty has no value",
		"{'Fn::Length': x}":                                   "unknown: expected a list, found a string",
		"!Join [',', [a, [b]]]":                               "unknown: expected a string, found a list",
		"!Join [',', a]":                                      "unknown: expected a list, found a string",
		"!Join [',', !Ref 'AWS::NoValue']":                    "",
		"!Join [',', !Split [!Ref Empty, a]]":                 "unknown: the parameter Empty has no value",
		"!Select [0, !Split ['', a]]":                         "unknown: the delimiter of Fn::Split is empty",
		"!Select [0, !Split [',', !Ref Empty]]":               "unknown: the parameter Empty has no value",
		"!Select [!Ref Empty, [a]]":                           "unknown: the parameter Empty has no value",
		"!Select [0, !Ref Empty]":                             "unknown: the parameter Empty has no value",
		"!Select [0]":                                         "unknown: Fn::Select takes a list of 2 arguments",
		"!Select [0, !GetAZs {Ref: Empty}]":                   "unknown: the parameter Empty has no value",
		"!FindInMap [Sizes, !Ref Empty, memory]":              "unknown: the parameter Empty has no value",
		"!FindInMap [Sizes]":                                  "unknown: Fn::FindInMap takes a list of 3 arguments",
		"!If [IsDev, a]":                                      "unknown: Fn::If takes a list of 3 arguments",
		"!If [[IsDev], a, b]":                                 "unknown: Fn::If takes the name of a condition first",
		"!If [Wrong, a, b]":                                   "unknown: a condition is Fn::Equals, Fn::And, Fn::Or, Fn::Not, or another condition",
		"!If [Short, a, b]":                                   "unknown: Fn::Equals takes a list of 2 arguments",
		"!If [Unsure, a, b]":                                  "unknown: the parameter Empty has no value",
		"!ImportValue x":                                      "unknown: Fn::ImportValue is not known before the stack is deployed",
		"{'Fn::Joim': x}":                                     `unknown: there is no function Fn::Joim: did you mean "Fn::Join"?`,
	} {
		t.Run(expression[:min(len(expression), 60)], func(t *testing.T) {
			t.Parallel()
			template := mustLoad(t, strings.Replace(intrinsics, "VALUE: VALUE", "VALUE: "+expression, 1), nil)
			got := "nothing"
			for _, v := range function(t, template, "Fn").Environment {
				if got = v.Value.String(); v.Value.Unresolved != nil {
					got = "unknown: " + v.Value.Unresolved.Reason
				}
			}
			if !strings.HasPrefix(got, want) || !strings.HasPrefix(want, "unknown") && got != want {
				t.Errorf("got  %.200s\nwant %s", got, want)
			}
		})
	}
}

// TestRegionsOutsideOfTheMainPartition: the partition and the suffix follow from the region.
func TestRegionsOutsideOfTheMainPartition(t *testing.T) {
	t.Parallel()
	expression := "VALUE: !Sub '${AWS::Partition} ${AWS::Region} ${AWS::URLSuffix} ${AWS::AccountId}'"
	for region, want := range map[string]string{
		"eu-central-1":  "aws eu-central-1 amazonaws.com 1",
		"cn-north-1":    "aws-cn cn-north-1 amazonaws.com.cn 1",
		"us-gov-west-1": "aws-us-gov us-gov-west-1 amazonaws.com 1",
	} {
		template := mustLoad(t, strings.Replace(intrinsics, "VALUE: VALUE", expression, 1), map[string]string{"AWS::Region": region, "AWS::AccountId": "1"})
		if got := function(t, template, "Fn").Environment[0].Value.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
