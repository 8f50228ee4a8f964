// Holds calls to Grafana, and answers of the small one of our tests, to the models of Grafana's own client.
//
// Standard input: one JSON object a line, {"model": ..., "body": ...}. A body with a field that the model does
// not have, a value of another type, or one that the model's own checks refuse, is printed; none may be.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/go-openapi/strfmt"
	"github.com/grafana/grafana-openapi-client-go/models"
)

type validated interface {
	Validate(strfmt.Registry) error
}

var kinds = map[string]func() validated{
	"CreateFolder":       func() validated { return &models.CreateFolderCommand{} },
	"UpdateFolder":       func() validated { return &models.UpdateFolderCommand{} },
	"Folder":             func() validated { return &models.Folder{} },
	"AddDataSource":      func() validated { return &models.AddDataSourceCommand{} },
	"UpdateDataSource":   func() validated { return &models.UpdateDataSourceCommand{} },
	"DataSource":         func() validated { return &models.DataSource{} },
	"AddDataSourceOK":    func() validated { return &models.AddDataSourceOKBody{} },
	"UpdateDataSourceOK": func() validated { return &models.UpdateDataSourceByUIDOKBody{} },
	"SaveDashboard":      func() validated { return &models.SaveDashboardCommand{} },
	"SaveDashboardOK":    func() validated { return &models.PostDashboardOKBody{} },
	"DashboardWithMeta":  func() validated { return &models.DashboardFullWithMeta{} },
	"PostAnnotation":     func() validated { return &models.PostAnnotationsCmd{} },
	"PostAnnotationOK":   func() validated { return &models.PostAnnotationOKBody{} },
	"PatchAnnotation":    func() validated { return &models.PatchAnnotationsCmd{} },
	"Annotation":         func() validated { return &models.Annotation{} },
	"Success":            func() validated { return &models.SuccessResponseBody{} },
	"Error":              func() validated { return &models.ErrorResponseBody{} },
}

type call struct {
	Model string          `json:"model"`
	Body  json.RawMessage `json:"body"`
}

func check(one call) error {
	make, known := kinds[one.Model]
	if !known {
		return fmt.Errorf("no such model")
	}
	value := make()
	decoder := json.NewDecoder(bytes.NewReader(one.Body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return err
	}
	return value.Validate(strfmt.Default)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	checked, bad := 0, 0
	for lines.Scan() {
		var one call
		err := json.Unmarshal(lines.Bytes(), &one)
		if err == nil {
			err = check(one)
		}
		if err != nil {
			bad++
			fmt.Printf("%s: %v: %.300s\n", one.Model, err, one.Body)
		}
		checked++
	}
	fmt.Printf("%d checked, %d bad\n", checked, bad)
	if bad > 0 || lines.Err() != nil {
		os.Exit(1)
	}
}
