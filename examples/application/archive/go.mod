module example.com/demo-app/archive

go 1.26

require github.com/aws/aws-lambda-go v1.55.1
